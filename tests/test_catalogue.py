"""The two languages of the catalogue say the same things, and none that nobody says."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

from glmcli.catalogue import en, text, texts, zh
from glmcli.diagnosis import Reason, Verdict

PACKAGE = Path(__file__).parent.parent / "glmcli"


def names_in(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    """A text that is added to one is added to the other, at the same place."""
    assert list(en.TEXTS) == list(zh.TEXTS)


@pytest.mark.parametrize("key", en.TEXTS)
def test_both_languages_mention_the_same(key: str) -> None:
    """The same placeholders, links and commands."""
    assert names_in(en.TEXTS[key]) == names_in(zh.TEXTS[key])
    for pattern in (r"https?://[\w./-]*\w", r"--[a-z-]+", r"\bglm (?=chat|onboard|doctor|profile|usage|models)[a-z]+"):
        assert set(re.findall(pattern, en.TEXTS[key])) == set(re.findall(pattern, zh.TEXTS[key]))


@pytest.mark.parametrize("key", en.TEXTS)
def test_a_text_is_in_its_language(key: str) -> None:
    """No Chinese in the English texts; Chinese in the Chinese ones, unless they are a name."""
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert not chinese.search(en.TEXTS[key])
    if " " in re.sub(r"\{\w+\}| ?\(.*\)", "", en.TEXTS[key]).strip():
        assert chinese.search(zh.TEXTS[key])


def test_no_text_is_unused_and_none_is_missing() -> None:
    """Every key is named by a literal, or by a family whose members an enumeration lists."""
    literals, families = keys_in_code()
    used = literals & set(en.TEXTS)
    for family in families:
        used |= {key for key in en.TEXTS if re.fullmatch(family, key)}
    assert set(en.TEXTS) - used == set()
    assert {key for key in literals if key.split(".")[0] in PREFIXES} - set(en.TEXTS) == set()


def test_families_are_complete() -> None:
    """A verdict or reason that is added needs its texts."""
    wanted = {f"{kind}.{verdict}" for kind in ("verdict", "meaning") for verdict in Verdict}
    wanted |= {f"reason.{reason}" for reason in Reason}
    found = {key for key in en.TEXTS if key.split(".")[0] in ("verdict", "meaning", "reason")}
    assert found == wanted


PREFIXES = {key.split(".")[0] for key in en.TEXTS}


def keys_in_code() -> tuple[set[str], set[str]]:
    """Literal keys in the package, and patterns for those that are put together."""
    literals, families = set(), set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "catalogue":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
                if isinstance(parts[0], str) and parts[0].split(".")[0] in PREFIXES and parts[0].endswith("."):
                    families.add("".join(r"\w+" if part is None else re.escape(str(part)) for part in parts))
            elif isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", str(node.value)):
                literals.add(str(node.value))
    return literals, families


def test_a_text_is_filled_in() -> None:
    """Values that it does not mention are ignored; an unknown language is English."""
    assert text("decision.use", "en", provider="zai", other="x") == "use zai"
    assert texts("fr") is en.TEXTS


def test_only_the_language_that_is_spoken_is_loaded() -> None:
    """A command in English does not load the Chinese texts, and none loads them without need."""
    program = "import sys, glmcli.catalogue as c; c.text('wizard.key', 'en'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "glmcli.catalogue.en" in loaded
    assert "glmcli.catalogue.zh" not in loaded
