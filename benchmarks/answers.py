"""Answers of any length for measuring: Markdown of one kind, always the same for a size in tokens.

A token is 4 characters, of Chinese 2.
"""

from __future__ import annotations

from collections.abc import Callable

PROSE = (
    "A **streaming** renderer writes what is *finished* once, and redraws only the block that is still open. "
    "Its cost per `token` must not depend on [what came before](https://example.com/linear), or a long answer "
    "becomes slower with every word of it. That is easy to say and easy to get wrong.\n\n"
)
LIST = "1. First **point** with `code`\n2. Second point\n   - nested item that says a little more\n   - another\n\n"
CODE = '''def total(prices: list[float], rate: float = 0.19) -> float:
    """The sum with tax."""
    result = 0.0
    for price in prices:  # one after the other
        result += price * (1 + rate)
    return round(result, 2)


'''
ROW = "| item {0} | {1} | a note about **item** {0} | `{2:#x}` |\n"
TABLE_HEAD = "| Name | Count | Note | Id |\n|:-----|------:|------|:--:|\n"
CHINESE = (
    "流式渲染器只写一次**已经完成**的内容，只重绘仍然打开的块。"
    "每个`词`的开销不应取决于之前的内容，否则长回答会越来越慢。"
)


def _table(rows: int) -> str:
    return TABLE_HEAD + "".join(ROW.format(n, n * 37 % 1000, n * 7919) for n in range(rows))


def _repeat(part: str, size: int) -> str:
    return (part * (size // len(part) + 1))[:size]


def mixed(tokens: int) -> str:
    """Headings, prose, lists, code and small tables."""
    part = f"## Section\n\n{PROSE * 2}{LIST}```python\n{CODE.strip()}\n```\n\n{_table(6)}\n> {PROSE}"
    return _repeat(part, tokens * 4)


def code(tokens: int) -> str:
    """One fenced block."""
    return "```python\n" + _repeat(CODE, tokens * 4)


def table(tokens: int) -> str:
    """One table."""
    return _table(tokens * 4 // 60)[: tokens * 4]


def chinese(tokens: int) -> str:
    """Paragraphs of Chinese."""
    return _repeat(CHINESE * 3 + "\n\n", tokens * 2)


def paragraph(tokens: int) -> str:
    """One paragraph without a newline."""
    return _repeat(PROSE.replace("\n", " "), tokens * 4)


#: Each kind with the characters of a token.
KINDS: dict[str, tuple[Callable[[int], str], int]] = {
    "mixed": (mixed, 4),
    "code": (code, 4),
    "table": (table, 4),
    "chinese": (chinese, 2),
    "paragraph": (paragraph, 4),
}


def pieces(kind: str, tokens: int) -> list[str]:
    """An answer, token by token."""
    make, width = KINDS[kind]
    text = make(tokens)
    return [text[start : start + width] for start in range(0, len(text), width)]
