"""Code is coloured line by line, and each line as if the lexer had read the block up to it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pygments.lexers import PythonLexer

from glmcli.render.highlight import Highlighter

LANGUAGES = ["python", "js", "ts", "c", "cpp", "java", "go", "rust", "ruby", "php", "bash", "console", "sql", "json"]
LANGUAGES += ["yaml", "toml", "html", "css", "diff", "markdown", "dockerfile", "make", "jsx", "kotlin", "swift", "lua"]
LINES = ["def f(x): return 'a' + 1 # c", "/* one", "two */ x", "", "\t<a href='x'>{{ y }}</a>", '"""', "`z` <<EOF"]


def _colors(info: str, *lines: str) -> list[list[tuple[str, str]]]:
    highlighter = Highlighter(info, color=True)
    return [[(span.text, span.style.sgr) for span in highlighter.line(line)] for line in lines]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_character_is_lost(language: str) -> None:
    """Whatever state the lexer is in, a line keeps its text."""
    highlighter = Highlighter(language, color=True)

    for line in LINES * 2:
        assert "".join(span.text for span in highlighter.line(line)) == line


@pytest.mark.parametrize(
    ("language", "lines", "expected"),
    [
        ("python", ['x = """a', "b", '"""', "pass"], ["32", "32", "32", "35"]),
        ("js", ["a /* one", "two", "*/", "const"], ["2", "2", "2", "35"]),
        ("js", ["`a", "b`", "const"], ["32", "32", "35"]),
        ("c", ["/* one", "two */", "return"], ["2", "2", "35"]),
        ("rust", ["/* one", "two */", "let"], ["2", "2", "35"]),
        ("python", ["glob('/*')", "pass"], ["", "35"]),
        ("js", ["'/*'", "const"], ["32", "35"]),
    ],
)
def test_strings_and_comments_go_over_lines(language: str, lines: list[str], expected: list[str]) -> None:
    """The last colour of each line."""
    assert [line[-1][1] for line in _colors(language, *lines)] == expected


@pytest.mark.parametrize("info", ["python", "Python title='x'", "python,linenos", "py {1,2}", "python3"])
def test_the_language_is_the_first_word(info: str) -> None:
    """What follows it is for other programs."""
    assert _colors(info, "pass") == [[("pass", "35")]]


@pytest.mark.parametrize("info", ["", "text", "no-such-language", "../../etc"])
def test_an_unknown_language_is_plain(info: str) -> None:
    """No lexer, no colour, no error."""
    assert _colors(info, "pass", "") == [[("pass", "")], []]


def test_without_color_nothing_is_colored() -> None:
    """NO_COLOR is for code as well."""
    assert [span.style.sgr for span in Highlighter("python", color=False).line("pass # x")] == [""]


def test_a_copy_leaves_the_state_as_it_was() -> None:
    """Looking ahead does not open a string."""
    highlighter = Highlighter("python", color=True)
    highlighter.copy().line('"""')

    assert highlighter.line("pass")[0].style.sgr == "35"


def test_a_lexer_that_fails_costs_the_colors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer goes on in plain text."""
    highlighter = Highlighter("python", color=True)

    def broken(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(PythonLexer, "_tokens", broken)

    assert [span.text for span in highlighter.line("pass")] == ["pass"]
    assert [span.text for span in highlighter.line("more")] == ["more"]


#: Streams a block of code by the character, and names the modules that came with it and are no lexer of its language.
FENCE = """
import sys
from glmcli.render.markdown import StreamingMarkdown, preload
preload()
now, before = 0.0, set(sys.modules)
markdown = StreamingMarkdown(
    lambda text: None, width=lambda: 80, height=lambda: 24, color=True, clock=lambda: now
)
for character in sys.argv[1]:
    markdown.feed(character)
    now += 1
    markdown.tick()
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("text", "modules"),
    [("```css", ""), ("```no-such-language\npass\n", ""), ("```json\n1\n", "pygments.lexers.data")],
    ids=["fence not yet whole", "unknown", "known"],
)
def test_no_module_is_loaded_but_the_lexer_of_the_language(text: str, modules: str) -> None:
    """Neither for the beginning of a language's name (`c`, `cs`) nor to search installed packages for plugins."""
    command = [sys.executable, "-c", FENCE, text]

    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert [name for name in found if not name.startswith(("pygments.token", "pygments.unistring"))] == modules.split()
