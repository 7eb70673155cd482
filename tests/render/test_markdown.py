"""Markdown on a terminal: what is on the screen while an answer streams and after it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glmcli.render.markdown import StreamingMarkdown, print_markdown
from tests.render.screens import Screen, pieces, printed, stream

LONG_TABLE = "| n | name | note |\n|--:|:--|---|\n" + "".join(
    f"| {n} | row **{n}** | {'wide ' * (n % 7)} |\n" for n in range(60)
)
DOCUMENTS = {
    "headings": "# One\ntext\n\n## Two ##\n\nThree\n===\n\nfour\nlines\n---\nend\n",
    "emphasis": "some **bold**, *italic*, ***both***, ~~gone~~, `code` and **bold over\ntwo lines** end",
    "tight list": "- one\n- two\n  - nested\n    1. deep\n  - more\n- three\n",
    "loose list": "1. one\n\n2. two\n\n   second paragraph\n\n   ```sh\n   ls -l\n   ```\n3. three",
    "quote": "> first\nlazy\n>\n> > nested\n> - item\n\nafter",
    "tall quote": "> " + "\n> ".join(f"line {n}  " for n in range(70)) + "\n",
    "fence": "before\n```python\ndef f(x):\n    '''text\n    more'''\n    return x  # end\n\n\n```\nafter",
    "open fence": "```js\n/* a comment\n over lines */\nconst x = `a ${1}`;\n",
    "tall fence": "~~~\n" + "".join(f"line {n} {'x' * n}\n" for n in range(120)) + "~~~\n",
    "table": "| a | b |\n|:-:|--:|\n| 1 | **two** |\n| `x\\|y` | 中文 |\n\nafter",
    "tall table": LONG_TABLE,
    "cells over lines": "|a|b|\n|-|-|\n" + f"|{'word ' * 40}|one<br>two|\n" * 12,
    "too many columns": "|" + "head|" * 40 + "\n|" + "-|" * 40 + "\n|" + "cell|" * 40,
    "not a table": "| a | b |\n\n| a | b |\n| c | d |\n",
    "html": "<div>\n*no*\n</div>\n\ninline <b>tag</b> and<br>break\n\n<!-- a\n\nb -->\nend",
    "links": "[a](https://a.example/x), [b](README.md), <https://c.example>, ![pic](http://d.example/p.png)\n",
    "references": "[early]\n\n[early]: https://e.example 'T'\n\n[early] and [late][x]\n\n[x]: http://x.example\n",
    "chinese": "流式渲染，只写一次**已经完成**的内容（只重绘打开的块）。" * 20 + "\n\n- 列表项目，`代码`\n",
    "emoji": "😀 fine ⚠️ and 👍 | no\n\n| ✅ | ok |\n|---|---|\n| ❌ | 中 |\n",
    "rules": "a\n\n---\n\n***\nb\n",
    "empty items": "-\n- a\n-\n\n1.\n",
    "tasks": "- [ ] open\n- [x] done\n- [link](http://x.example)\n",
    "indented": "text\n\n    code\n\n    more\n\ntext",
    "long line": "word " * 2000,
    "long word": "x" * 5000,
    "long code line": "```js\n" + "a=b+c;" * 900 + "\nshort\n```\n",
    "open markup": "**bold that `never [ends " * 30,
    "carriage returns": "one\r\n\r\n- two\r\n- three\r\n",
    "spaces": "   \n\n  a  \n \n" + " " * 3000 + "b",
    "no text": "",
}


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_streaming_ends_on_the_same_screen_as_one_print(document: str, width: int) -> None:
    """Screen, scrollback and colours are those of one complete print, however the answer is cut."""
    whole = printed(document, width=width)

    for size in (5, 60):
        streamed = stream(pieces(document, size), width=width)
        assert streamed.rows() == whole.rows()
        assert streamed.looks() == whole.looks()


LINES = st.sampled_from(
    [
        *("", "", "word", "**bold", "text** `code", "# Head", "- item", "  - nested", "    deep", "1. one", "7) seven"),
        *("> quote", ">> deep", "```py", "def f(): return 'x'", "```", "~~~", "===", "---", "* * *", "|a|b|", "|-|-|"),
        *("| 中文 | long cell text |", "<div>", "</div>", "[a]: http://x.example", "[a]", "long text " * 12, "- "),
        *("  continued", "\ttab", "x" * 90, "🎉 done", "word " * 230, "中文，" * 40),
    ]
)
MARKS = st.text(st.sampled_from("ab 1.\n\n*_`~[]()<>#-+|>:!\\&中，\t"), max_size=200)
ANSWERS = st.one_of(st.lists(LINES, max_size=25).map("\n".join), MARKS)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    answer=ANSWERS,
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    pauses=st.lists(st.sampled_from([0.0, 0.002, 0.02, 1.5]), min_size=1, max_size=5),
    width=st.sampled_from([4, 12, 40, 80, 100]),
    height=st.sampled_from([1, 3, 10, 24]),
)
def test_any_answer_in_any_chunks(answer: str, sizes: list[int], pauses: list[float], width: int, height: int) -> None:
    """What is on the screen at the end does not depend on when and in which pieces the answer came."""
    screen = Screen(width, height)
    markdown = screen.renderer()
    position = 0
    for size, pause in zip(itertools.cycle(sizes), itertools.cycle(pauses), strict=False):
        if position >= len(answer):
            break
        markdown.feed(answer[position : position + size])
        position += size
        screen.now += pause
        markdown.tick()
    markdown.finish()

    assert screen.rows() == printed(answer, width=width, height=height).rows()
    assert screen.cursor[0] == 0


@pytest.mark.parametrize("ends_by", ["finish", "interrupt"])
def test_the_cursor_ends_at_the_start_of_the_line_after_the_answer(ends_by: str) -> None:
    """Both ways to end write all that came; a second call writes nothing."""
    screen = Screen(80, 24)
    markdown = screen.renderer()
    markdown.feed("one **tw")

    getattr(markdown, ends_by)()
    frames = len(screen.frames)
    markdown.finish()

    assert screen.rows() == ["one **tw"]
    assert screen.cursor == (0, 1)
    assert len(screen.frames) == frames


LOOK = """\
# Title
Some **bold** text, `code` and 中文字符测试。
Next line.
- one
- two
  - [x] nested
    1. deep

- loose

9. nine
10. ten

    code of its own

> quote
> > deeper
> - item
```py
    x = 1
```
| Name | Age | Note |
|:-----|----:|:----:|
| Bob | 12 | a<br>b |
| Alice | 7 | x\\|y |
***
[1]: https://a.example
See [one][1] and [two](two.md).
"""
SHOWN = """\
Title

Some bold text, code and 中文字符测试。
Next line.

• one
• two
  ◦ ☑ nested
     1. deep

• loose

 9. nine
10. ten

    code of its own

│ quote
│
│ │ deeper
│
│ • item

      x = 1

Name  │ Age │ Note
──────┼─────┼─────
Bob   │  12 │  a
      │     │  b
Alice │   7 │ x|y

────────────────────────────────────────

[1]: https://a.example

See one and two (two.md).
"""


def test_how_it_looks() -> None:
    """Blocks stand apart, lists stand as in the source, code is indented, tables have rules."""
    assert printed(LOOK, width=40, height=60).rows() == SHOWN.splitlines()


def test_an_empty_answer_writes_nothing() -> None:
    """No text, no newline, no escape sequence."""
    screen = stream([""])

    assert screen.frames == []


def test_text_is_on_the_screen_before_its_line_ends() -> None:
    """The first words are shown at once; emphasis is shown before it is closed."""
    screen = Screen(80, 24)
    markdown = screen.renderer()

    markdown.feed("Hello **bold wor")

    assert screen.rows() == ["Hello bold wor"]
    assert screen.emulator.buffer[0][6].bold


def test_what_may_still_become_a_marker_is_held_back() -> None:
    """Fences, underlines, rows and bullets do not flicker as text."""
    screen = Screen(80, 24)
    markdown = screen.renderer()
    for chunk in ("text\n\n", "``", "`py\n", "x = 1\n``", "`\n\n", "| a | b |\n", "|--", "-|--|\n", "| 1 ", "| 2 |\n-"):
        markdown.feed(chunk)
        screen.now += 1
        markdown.tick()
        assert not re.search(r"`|\|", "\n".join(screen.rows()))

    assert screen.rows() == ["text", "", "  x = 1", "", "a │ b", "──┼──", "1 │ 2"]


def test_a_redraw_that_is_not_due_waits_for_a_tick() -> None:
    """Text that comes within a sixtieth of a second is shown by a timer, without more text."""
    screen = Screen(80, 24)
    markdown = screen.renderer()
    markdown.feed("one ")
    screen.now += 0.001
    markdown.feed("two")
    shown_early = screen.rows()
    wait = markdown.next_redraw_in()
    assert wait is not None

    screen.now += wait
    markdown.tick()

    assert (shown_early, screen.rows()) == (["one"], ["one two"])
    assert wait == pytest.approx(1 / 60 - 0.001)
    assert markdown.next_redraw_in() is None


def test_a_costly_redraw_is_followed_by_a_rest_of_eight_times_its_cost() -> None:
    """A slow terminal is written to for a ninth of the time."""
    screen = Screen(80, 24)

    def slow(text: str) -> None:
        screen.write(text)
        screen.now += 0.05

    markdown = StreamingMarkdown(slow, width=lambda: 80, height=lambda: 24, color=True, clock=lambda: screen.now)
    markdown.feed("one")
    screen.now += 1
    markdown.feed(" two")
    markdown.feed(" three")

    assert markdown.next_redraw_in() == pytest.approx(8 * 0.05)


def test_scrollback_is_never_rewritten() -> None:
    """What has left the screen is final: every prefix of the scrollback stays as it was."""
    document = "\n\n".join(text[:1500] for text in DOCUMENTS.values())
    screen = Screen(60, 8)
    markdown = screen.renderer()
    final = printed(document, width=60, height=8).rows()
    for chunk in pieces(document, 80):
        markdown.feed(chunk)
        screen.now += 0.02
        markdown.tick()
        scrolled = len(screen.emulator.history.top)
        assert screen.rows()[:scrolled] == final[:scrolled]


@pytest.mark.parametrize(
    "sizes",
    [[(120, 24)], [(50, 24)], [(33, 24), (90, 24)], [(80, 10)], [(60, 14), (100, 30)], [(100, 24), (60, 24)]],
    ids=["wider", "narrower", "narrow then wide", "lower", "smaller then larger", "wider then narrower"],
)
@pytest.mark.parametrize("document", ["emphasis", "tight list", "quote", "fence", "chinese", "long line"])
def test_a_resize_in_the_middle_loses_and_repeats_nothing(document: str, sizes: list[tuple[int, int]]) -> None:
    """After the terminal has broken its lines anew, every word stands there once, in order."""
    source = DOCUMENTS[document][:1500]
    screen = Screen(80, 24)
    markdown = screen.renderer()
    cuts = [len(source) * n // (len(sizes) + 1) for n in range(1, len(sizes) + 1)]
    for position, character in enumerate(source):
        if position in cuts:
            screen.resize(*sizes[cuts.index(position)])
            markdown.resize()
        markdown.feed(character)
        screen.now += 0.02
        markdown.tick()
    markdown.finish()

    expected = "".join(printed(source, width=80).rows())
    assert _bare("".join(screen.rows())) == _bare(expected)


def _bare(text: str) -> str:
    """Letters and digits: what is left when lines are broken otherwise."""
    return "".join(filter(str.isalnum, text))


def test_a_resize_without_a_signal_is_noticed_at_the_next_redraw() -> None:
    """The size is asked for each time, as Windows and some multiplexers send no signal."""
    screen = Screen(80, 24)
    markdown = screen.renderer()
    markdown.feed("word " * 14)
    screen.now += 1
    screen.resize(20, 24)

    markdown.feed("end\n\n")
    markdown.finish()

    assert max(map(len, screen.rows())) <= 20
    assert " ".join(screen.rows()).split() == ["word"] * 14 + ["end"]


OURS = re.compile(
    r"\x1b\[\d*(?:;\d+)*m|\x1b\[\d*[ABGJKM]|\x1b\[\?2026[hl]|\x1b\[\?25[hl]|\x1b\]8;;(?:https?://[!-~]+|mailto:[!-~]+)?\x1b\\"
)
HOSTILE = {
    "clear screen": "a\x1b[2Jb",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "title": "\x1b]0;owned\x1b\\",
    "c1": "\x9b2J\x9d0;x\x9c\x85",
    "in code": "```sh\n\x1b[31mred\x07\n```\n`\x1b[0m`",
    "in a table": "|a\x1b[1A|b|\n|-|-|\n|\x1b]8;;http://x\x07|\x00|",
    "entities": "&#27;[2J &#x9b;2J &#8238;abc &#13;&#10;x &NewLine;y",
    "in a link": "[a](http://x.example/\x1b]0;x\x07) [b](<http://x.example/a b\x1b>) ![\x1b[2J](http://y.example)",
    "link entity": "[a](http://x.example/&#27;\\&#7;) [c](javascript:alert(1)) [d](file:///etc/passwd)",
    "in the language": "```\x1b[2J python\nx\n```",
    "html": "<div \x1b[2J>\n<b\x07>x</b>",
    "bidi": "\u202eevil\u2066x\u200f",
    "nul and delete": "\0a\x7fb\x08\x08\x0b\x0c",
    "surrogate": "\ud800x",
}


@pytest.mark.parametrize("color", [True, False], ids=["color", "no color"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_cannot_steer_the_terminal(text: str, color: bool) -> None:
    """After our own sequences are taken out of the output, no control or bidi character is left in it.

    (A redraw begins with a carriage return of ours; a whole print has none.)
    """
    streamed, whole = stream(text, color=color), printed(text, color=color)
    for screen, output in ((streamed, "".join(streamed.frames).replace("\r", "")), (whole, "".join(whole.frames))):
        rest = OURS.sub("", output)
        assert re.findall("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", rest) == []
        assert screen.emulator.title == ""


def test_without_color_there_is_structure_but_no_color_and_no_hyperlink() -> None:
    """Bold, italic and underline stay; code keeps its ticks and links show their target."""
    screen = printed("# T\n\n**b** `c` [l](https://x.example)\n\n```py\nimport os\n```\n", color=False)
    output = "".join(screen.frames)

    assert set(re.findall(r"\x1b\[([\d;]*)m", output)) <= {"", "1", "1;4", "0;1"}
    assert "\x1b]8" not in output
    assert screen.rows() == ["T", "", "b `c` l (https://x.example)", "", "  import os"]


@pytest.mark.parametrize(
    ("link", "shown", "target"),
    [
        ("[t](https://x.example/a)", "t", "https://x.example/a"),
        ("[t](HTTP://x.example)", "t", "HTTP://x.example"),
        ("[t](mailto:a@x.example)", "t", "mailto:a@x.example"),
        ("<https://x.example>", "https://x.example", "https://x.example"),
        ("![alt](https://x.example/p.png)", "[alt]", "https://x.example/p.png"),
        ("[t](ftp://x.example)", "t (ftp://x.example)", None),
        ("[t](../file.md)", "t (../file.md)", None),
        ("[t](javascript:x)", "[t](javascript:x)", None),
    ],
)
def test_only_safe_schemes_can_be_clicked(link: str, shown: str, target: str | None) -> None:
    """Other targets are printed beside the text."""
    screen = printed(link)
    targets = re.findall(r"\x1b\]8;;([^\x1b]+)\x1b", "".join(screen.frames))

    assert screen.rows() == [shown]
    assert targets == ([target] if target else [])


def test_a_failed_write_leaves_a_sane_terminal() -> None:
    """The error is passed on after cursor, style and synchronised output are reset."""
    written: list[str] = []

    def broken(text: str) -> None:
        written.append(text)
        if len(written) == 2:
            raise BrokenPipeError

    screen = Screen(80, 24)
    markdown = StreamingMarkdown(broken, width=lambda: 80, height=lambda: 24, color=True, clock=lambda: screen.now)
    markdown.feed("one")
    screen.now += 1

    with pytest.raises(BrokenPipeError):
        markdown.feed(" two")

    assert all(reset in written[-1] for reset in ("\x1b[?25h", "\x1b[?2026l", "\x1b[m"))


def test_no_frame_leaves_the_cursor_hidden_or_an_update_open() -> None:
    """A process killed between two writes leaves a usable terminal."""
    screen = stream(pieces("\n\n".join(DOCUMENTS.values()), 30), height=6)

    for frame in screen.frames:
        assert frame.count("\x1b[?25l") == frame.count("\x1b[?25h")
        assert frame.count("\x1b[?2026h") == frame.count("\x1b[?2026l")
        assert frame.rfind("\x1b[?25l") <= frame.rfind("\x1b[?25h")
        assert re.findall(r"\x1b\[[\d;]*m|$", frame)[-2:][0] in ("", "\x1b[m")


def test_control_c_anywhere_in_the_renderer_keeps_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the middle of a line does not cost the rest of it."""
    from glmcli.render.blocks import BlockParser

    screen = Screen(80, 24)
    markdown = screen.renderer()
    markdown.feed("- one\n- two\n\n")
    screen.now += 1

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BlockParser, "_put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            markdown.feed("- three\n- four")
    markdown.interrupt()

    assert screen.rows() == ["• one", "• two", "", "• three", "• four"]


@pytest.mark.parametrize(
    "text",
    ["> " * 5000 + "x", "- " * 5000 + "x", "\n".join("  " * n + "- x" for n in range(300)), "1. > " * 2000 + "x"],
    ids=["quotes", "lists", "indented lists", "both"],
)
def test_deep_nesting_neither_fails_nor_fills_the_screen(text: str) -> None:
    """Five thousand quotes or lists are shown; the text keeps its columns."""
    screen = printed(text, width=40)

    assert len(screen.rows()) < 1500
    assert screen.rows()[-1].endswith("x")


def test_a_long_table_is_written_while_it_grows() -> None:
    """After the rows that settle its columns a table is final line by line."""
    screen = Screen(80, 24)
    markdown = screen.renderer()
    markdown.feed(LONG_TABLE)
    screen.now += 1
    markdown.tick()

    assert any("row 58" in row for row in screen.rows())


def test_nothing_is_wider_than_the_terminal() -> None:
    """Every line fits its columns, so that the terminal never breaks one by itself."""
    document = "\n\n".join([*DOCUMENTS.values(), "end"])
    for width in (20, 40):
        lines: list[str] = []
        print_markdown(document, lines.append, width=width, color=False)
        rows = printed(document, width=width, color=False).rows()
        assert len(rows) == "".join(lines).rstrip().count("\n") + 1
