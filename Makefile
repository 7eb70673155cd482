# Needs a Python of 3.11 or later, and nothing else: everything goes into $(VENV).
VENV ?= .venv
WORKERS ?= auto
FUZZ ?= all
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
GENERATORS = $(wildcard scripts/docs*.py)
export PYTHON

.PHONY: help demo test kills fuzz check format format-check lint types docs docs-check bench build clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(VENV)/.installed ## Stream an answer from the embedded sandbox; no key, no network.
	@echo '$$ glm --provider sandbox chat "Hello! What can you do?"'
	@$(BIN)/glm --provider sandbox chat "Hello! What can you do?"

test: $(VENV)/.test ## Run the tests.
	$(BIN)/python -m pytest -q -n $(WORKERS)

fuzz: $(VENV)/.test $(VENV)/.fuzz ## Fuzz parsers and renderers; FUZZ="sse faults --minutes 10".
	$(BIN)/python -m tests.fuzz $(FUZZ)

kills: $(VENV)/.test ## Kill every command that writes or pays at KILLS (default 100) random moments.
	$(BIN)/python -m tests.crash --kills $(or $(KILLS),100)

check: format-check lint types test docs-check ## Everything that CI runs.

format: $(VENV)/.lint ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: $(VENV)/.lint
	$(BIN)/ruff format --check .

lint: $(VENV)/.lint ## Look for mistakes.
	$(BIN)/ruff check .

types: $(VENV)/.test $(VENV)/.lint ## Check the types.
	$(BIN)/mypy glmcli tests scripts benchmarks

docs: $(VENV)/.installed ## Write what is generated from the code.
	@for script in $(GENERATORS); do $(BIN)/python $$script || exit; done

docs-check: $(VENV)/.installed
	@for script in $(GENERATORS); do $(BIN)/python $$script --check || exit; done

bench: $(VENV)/.installed ## Measure against floors in the same run; BENCH="--peers llm" adds other clients.
	$(BIN)/python benchmarks/bench.py $(BENCH)

build: $(VENV)/.installed ## Build the distributions into dist/.
	$(PIP) build
	$(BIN)/python -m build

clean: ## Remove everything that can be made again.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	python=$$(sh scripts/find-python) && "$$python" -m venv $(VENV)

# Dependency groups (PEP 735) are read by pip from 25.1; the launcher of an older one imports re at every start.
$(VENV)/.pip: $(BIN)/python
	$(PIP) "pip>=25.1"
	@touch $@

$(VENV)/.installed: $(VENV)/.pip pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.fuzz: $(VENV)/.%: $(VENV)/.installed
	$(PIP) --group $*
	@touch $@
