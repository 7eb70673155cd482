"""The Markdown renderer: what stands on the screen, and what reaches the terminal."""

from __future__ import annotations

import itertools
import re

from glmcli.render.markdown import StreamingMarkdown, print_markdown
from tests.fuzz.cells import Cells
from tests.fuzz.material import Material

_WIDTHS = (80, 40, 12, 4, 100, 1)
_HEIGHTS = (24, 10, 3, 1)
_PAUSES = (0.0, 0.002, 0.02, 1.5)
SEEDS = (
    b"\x00\x00\x00\x00\x01\x09# One\ntext **bold** `code`\n\n## Two ##\n\nThree\n===\n",
    b"\x00\x01\x01\x02\x02\x05\x21- one\n- two\n  - nested\n    1. deep\n\n- [x] done\n",
    b"\x00\x02\x00\x01\x00\x11> first\nlazy\n>\n> > nested\n> - item\n\nafter ***\n---\n",
    b"\x00\x00\x02\x00\x00\x07```python\ndef f(x):\n    '''text\n    more'''\n```\nafter\n~~~\nopen",
    b"\x00\x01\x00\x02\x01\x30\x03| a | b |\n|:-:|--:|\n| 1 | **two** |\n| `x\\|y` | \xe4\xb8\xad |\n\nafter",
    b"\x00\x00\x01\x01\x01\x05[a](https://a.example/x), [b](README.md), <https://c.example>, ![p](http://d.example/p.png)\n",
    b"\x00\x00\x00\x00\x00\x03[early]\n\n[early]: https://e.example 'T'\n\n<div>\n*no*\n</div>\n<!-- a\n\nb -->\n<br>",
    b"\x00\x03\x03\x03\x03\x3f\x01\x02\x05evil \x1b]52;c;aGk=\x07 \x1b[2J \xc2\x9b31m\x9d0;t\x07\xe2\x80\xae"
    b"[x](http://\x1b[1m) \r\n`\x1b[`",
    "\x00\x00\x00\x02\x00\x0b流式渲染，只写一次**已经完成**的内容。\n1. 你好\n2. 😀 fine ⚠️ 👍🏽\n".encode(),
    b"\x00\x00\x00\x00\x00\x3f" + b"word " * 300 + b"x" * 300,
    b"\x01\x1b]52;c;aGk=\x07 \x1b[2J \xc2\x9b31m \xff\xe2\x80\xae"
    b" [x](http://\x1b[1m) \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 e\xcc\x81",
)
WORDS = (
    *(
        b"**",
        b"*",
        b"`",
        b"```",
        b"~~~",
        b"# ",
        b"- ",
        b"1. ",
        b"> ",
        b"| ",
        b"|-|-|\n",
        b"\n\n",
        b"\n",
        b"    ",
        b"\t",
    ),
    *(
        b"[a](",
        b"](http://x.example)",
        b"[a]: http://x.example\n",
        b"<b>",
        b"<div>",
        b"</div>",
        b"<!--",
        b"-->",
        b"***",
    ),
    *(b"---\n", b"===\n", b"~~", b"\\", b"&amp;", b"&#27;", b"&#x9b;", b"\x1b[", b"\x1b]52;c;", b"\x07", b"\xc2\x9b"),
    *(
        b"\xe2\x80\xae",
        b"\xe4\xb8\xad",
        b"\xf0\x9f\x98\x80",
        b"\r",
        b"\r\n",
        b"\xe2\x80\xa8",
        b"- [ ] ",
        b"![p](",
        b"<http://",
    ),
    *(
        b"x" * 90,
        b"word " * 20,
        b"```python\n",
        b"  - ",
        b"  \n",
        b"\x00",
        b"\x7f",
        b"http://x.example/\xc2\x9c",
        b"<br>",
    ),
)
# What the renderer itself may send: colours, links, a column, and the frames of `render.terminal`.
_OURS = re.compile(
    r"\x1b\[(?:[\d;]*m|\d+G|\d+[ABM]|J|K|\?2026[hl]|\?25[hl])|\x1b\]8;;[^\x00-\x1f\x7f-\x9f]*\x1b\\|[\r\n]"
)
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff]")
# Terminals give these no cell, or as many as they like; the emulator has a taste of its own.
UNCERTAIN = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0590-\u1cff\u1dc0-\u1dff\u200b-\u20ff\u2600-\u27bf\ua66f-\uabff\ufb50-\uffff]|[^\x00-\uffff]"
)


def fuzz_markdown(data: bytes) -> None:
    """However and whenever an answer comes, the screen ends as after one print, and nothing in it steers a terminal."""
    material = Material(data)
    if material.flag():  # any characters, without an emulator: quick
        _check_printed(material.rest().decode("utf-8", "surrogateescape"))
        return
    width, height = material.pick(_WIDTHS), material.pick(_HEIGHTS)
    color = not material.flag()
    pause = material.pick(_PAUSES)
    sizes = material.sizes()
    text = UNCERTAIN.sub("\u4e2d", material.text())

    frames: list[str] = []
    now = [0.0]
    markdown = StreamingMarkdown(
        frames.append, width=lambda: width, height=lambda: height, color=color, clock=lambda: now[0]
    )
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(text):
            break
        markdown.feed(text[at : at + size])
        at += size
        now[0] += pause
        markdown.tick()
    markdown.finish()
    whole: list[str] = []
    print_markdown(text, whole.append, width=width, color=color)

    _check_frames("".join(frames))
    _check_frames("".join(whole))
    streamed, printed = Cells(width, height), Cells(width, height)
    for screen, written in ((streamed, frames), (printed, whole)):
        for frame in written:
            screen.write(frame)
    assert streamed.looks() == printed.looks()
    assert streamed.x == 0


def _check_printed(text: str) -> None:
    parts: list[str] = []
    print_markdown(text, parts.append, width=80, color=True)
    _check_frames("".join(parts))


def _check_frames(written: str) -> None:
    left = _OURS.sub("", written)
    assert not _STEERING.search(left), ascii(left)
