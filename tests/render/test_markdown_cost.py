"""Markdown on a terminal costs what its length costs: bytes, redraws and calls are counted, no clock is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from glmcli.render.markdown import StreamingMarkdown, preload, print_markdown
from tests.render.screens import pieces

PROSE = "A **streaming** renderer writes *done* text once; only the `open` block is [drawn](http://a.example) again. "
CODE = "def total(prices: list[float]) -> float:\n    '''The sum.'''\n    return sum(prices) * 1.19  # with tax\n\n"
ROW = "| item {0} | {1} | a note about **item** {0} |\n"
CHINESE = "流式渲染器只写一次**已经完成**的内容，只重绘仍然打开的块，否则长回答会越来越慢。"


def _filled(part: str, size: int) -> str:
    return (part * (size // len(part) + 1))[:size]


def _table(size: int) -> str:
    rows = "".join(ROW.format(n, n * 37 % 1000) for n in range(size // 40))
    return f"| Name | Count | Note |\n|:--|--:|---|\n{rows}"[:size]


def _mixed(size: int) -> str:
    items = "1. One **point**\n2. Another\n   - nested\n   - more\n\n"
    part = f"## Section\n\n{PROSE * 3}\n\n{items}```python\n{CODE}```\n\n{_table(300)}\n> {PROSE}\n\n"
    return _filled(part, size)


ANSWERS: dict[str, Callable[[int], str]] = {
    "mixed": _mixed,
    "code": lambda size: "```python\n" + _filled(CODE, size),
    "table": _table,
    "chinese": lambda size: _filled(CHINESE * 3 + "\n\n", size),
    "paragraph": lambda size: _filled(PROSE, size),
    "plain paragraph": lambda size: _filled("word and another ", size),
    "chinese paragraph": lambda size: _filled(CHINESE, size),
    "list": lambda size: _filled("- an item of a long list\n", size),
    "quote": lambda size: _filled("> a line of a long quote\n", size),
    "one word": lambda size: "x" * size,
    "open markup": lambda size: "**" + _filled("word [and ", size),
    "open code": lambda size: "`" + _filled("word `` and ", size),
    "nested quotes": lambda size: _filled("> " * 40 + "some words of a quote\n", size),
    "definitions": lambda size: "".join(f"[a{n}]: http://x.example/{n}\n\n" for n in range(size // 28)),
    "empty lines": lambda size: "\n" * size,
    "pipes": lambda size: "|" * size,
}


def _streamed(text: str, *, chunk: int = 8, pause: float = 0.01, height: int = 40) -> list[str]:
    """The frames of an answer of `chunk / pause` characters a second on a clock of its own."""
    frames: list[str] = []
    now = 0.0
    markdown = StreamingMarkdown(frames.append, width=lambda: 100, height=lambda: height, color=True, clock=lambda: now)
    for piece in pieces(text, chunk):
        markdown.feed(piece)
        now += pause
        markdown.tick()
    markdown.finish()
    return frames


def _bytes(frames: list[str]) -> int:
    return len("".join(frames).encode())


def _printed(text: str) -> int:
    frames: list[str] = []
    print_markdown(text, frames.append, width=100, color=True)
    return _bytes(frames)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("mixed", 1.3),
        ("code", 1.5),
        ("table", 1.5),
        ("chinese", 1.3),
        ("paragraph", 1.3),
        ("list", 1.3),
        ("quote", 1.3),
    ],
)
@pytest.mark.parametrize("size", [4_000, 16_000])
def test_an_answer_is_written_little_more_than_once(kind: str, limit: float, size: int) -> None:
    """Bytes written while it streams, against those of one complete print."""
    text = ANSWERS[kind](size)

    assert _bytes(_streamed(text)) <= limit * _printed(text)


@pytest.mark.parametrize("height", [3, 10])
def test_a_small_screen_costs_few_bytes_more(height: int) -> None:
    """What does not fit the screen is scrolled, not written anew."""
    text = _mixed(16_000)

    assert _bytes(_streamed(text, height=height)) <= 1.5 * _printed(text)


@pytest.mark.parametrize("kind", ANSWERS)
def test_cost_grows_with_the_length(kind: str) -> None:
    """Four times the text takes about four times the calls and bytes, not sixteen times."""
    make = ANSWERS[kind]
    preload()
    _streamed(make(4_000))  # fills the caches of widths, patterns and lexers

    few, many = make(8_000), make(32_000)
    calls, frames = _counted(lambda: _streamed(few, chunk=512, pause=0.05))
    more_calls, more_frames = _counted(lambda: _streamed(many, chunk=512, pause=0.05))

    assert more_calls <= 4 * 1.5 * calls
    assert _bytes(more_frames) <= 4 * 1.3 * _bytes(frames) + 2_000


def _counted(run: Callable[[], list[str]]) -> tuple[int, list[str]]:
    """Calls of Python and C functions that the run makes, and its frames."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        frames = run()
    finally:
        sys.setprofile(before)
    return calls, frames


def test_redraws_are_bounded_by_time_not_by_chunks() -> None:
    """Two thousand chunks in one second make at most sixty redraws and the end."""
    frames = _streamed(_filled("word ", 10_000), chunk=5, pause=1 / 2000)

    assert 10 < len(frames) <= 62


def test_words_that_follow_cost_their_own_bytes() -> None:
    """Text that extends the last line is written without any escape sequence."""
    frames = _streamed("some words that follow one another on a line", chunk=1, pause=1)

    assert "".join(frames) == "some words that follow one another on a line\n"


def test_blocks_that_change_are_redrawn_less_often_than_they_might() -> None:
    """A table whose columns widen with every row is not written anew for every row."""
    rows = "".join(f"| {'w' * (n * 3)} | {n} |\n" for n in range(19))
    text = f"| a | b |\n|---|---|\n{rows}"

    assert _bytes(_streamed(text, pause=0.005)) <= 1.5 * _printed(text) + 512


def test_a_waiting_redraw_comes_after_a_second_at_last() -> None:
    """However much a block was rewritten, it is never more than a second behind."""
    now = 0.0
    frames: list[str] = []
    markdown = StreamingMarkdown(frames.append, width=lambda: 100, height=lambda: 40, color=True, clock=lambda: now)
    markdown.feed("| a | b |\n|---|---|\n")
    for n in range(19):
        markdown.feed(f"| {'w' * (n * 3)} | row {n} |\n")
        now += 1.1
        markdown.tick()

        assert f"row {n}" in "".join(frames)


def test_what_is_slow_twice_is_drawn_less_often() -> None:
    """A slow terminal gets time to follow; one redraw in which the machine did something else delays nothing."""
    now, costs = 0.0, iter([0.001, 0.02, 0.001, 0.02, 0.02])

    def write(_text: str) -> None:
        nonlocal now
        now += next(costs)

    markdown = StreamingMarkdown(write, width=lambda: 100, height=lambda: 40, color=True, clock=lambda: now)
    waits = []
    for _ in range(5):
        markdown.feed("word ")
        markdown.feed("and ")
        waits.append(markdown.next_redraw_in())
        now += 1

    assert waits == pytest.approx([1 / 60, 1 / 60, 1 / 60, 1 / 60, 8 * 0.02])
