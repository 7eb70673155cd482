"""Colours for code, one line at a time.

Pygments reads whole texts. Here the state of a lexer is kept between lines, so
that each line is read once and never changes colour afterwards. The sixteen
colours of the terminal's own theme stay readable on dark and light.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from glmcli.render.wrapping import Line, Span, Style, join

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

# By the names of Pygments' token types; the nearest parent counts.
_COLORS = {
    "Keyword": "35",
    "Keyword.Constant": "36",
    "Operator.Word": "35",
    "Name.Builtin": "36",
    "Name.Function": "34",
    "Name.Class": "34",
    "Name.Namespace": "34",
    "Name.Decorator": "35",
    "Name.Exception": "31",
    "Name.Tag": "34",
    "Name.Attribute": "36",
    "Name.Variable": "36",
    "Literal.String": "32",
    "Literal.Number": "36",
    "Comment": "2",
    "Comment.Preproc": "35",
    "Generic.Inserted": "32",
    "Generic.Deleted": "31",
    "Generic.Heading": "1",
    "Generic.Subheading": "35",
    "Generic.Prompt": "35",
}

_LINE_LIMIT = 1024  # characters that a lexer is asked to read at once
_BLOCK_COMMENT = ("/*", "*/")


@cache
def _lexer(name: str) -> Lexer | None:
    """The lexer for the first word after a fence, or None for an unknown language."""
    from pygments.lexers import find_lexer_class, get_all_lexers

    if name in ("", "text", "plain", "plaintext", "txt", "output"):
        return None
    # Not get_lexer_by_name(): a word that it does not know makes it search all installed packages, for 20 ms.
    for title, aliases, _, _ in get_all_lexers(plugins=False):
        if name in aliases:
            found = find_lexer_class(title)
            return found() if found else None
    return None


@cache
def _style(kind: _TokenType) -> Style:
    parts = tuple(kind)
    while parts:
        if sgr := _COLORS.get(".".join(parts)):
            return Style(sgr)
        parts = parts[:-1]
    return Style()


@cache
def _has_block_comments(lexer: Lexer) -> bool:
    """Whether `/* … */` is a comment of the language."""
    tokens, _ = _read(lexer, "/**/\n", ("root",))
    return any(str(kind).startswith("Token.Comment") for kind, _ in tokens)


class Highlighter:
    """Colours the lines of one block of code in order."""

    def __init__(self, info: str, *, color: bool) -> None:
        self._language = re.split(r"[\s,{:]", info.strip(), maxsplit=1)[0].lower() if color else ""
        self._stack: tuple[str, ...] = ("root",)
        self._in_comment = False

    def copy(self) -> Highlighter:
        """The same state, to look ahead with."""
        twin = Highlighter("", color=False)
        twin._language, twin._stack, twin._in_comment = self._language, self._stack, self._in_comment
        return twin

    def line(self, text: str) -> Line:
        """The next line (without newline) in colour."""
        # Not before a line is there: of a fence that is still being written, `c` may become `css`.
        lexer = _lexer(self._language)
        if lexer is None or len(text) > _LINE_LIMIT:
            return [Span(text)] if text else []
        spans: Line = []
        if self._in_comment:
            end = text.find(_BLOCK_COMMENT[1])
            if end < 0:
                return [Span(text, Style(_COLORS["Comment"]))] if text else []
            self._in_comment = False
            spans.append(Span(text[: end + 2], Style(_COLORS["Comment"])))
            text = text[end + 2 :]
        code, comment = self._cut_comment(lexer, text)
        spans += self._spans(lexer, code)
        if comment:
            self._in_comment = True
            spans.append(Span(comment, Style(_COLORS["Comment"])))
        return join(spans)

    def _cut_comment(self, lexer: Lexer, text: str) -> tuple[str, str]:
        """The line before a comment that it opens and leaves open, and that comment.

        Most lexers read such a comment with one pattern, which a single line cannot match.
        """
        begin = text.rfind(_BLOCK_COMMENT[0])
        if begin < 0 or _BLOCK_COMMENT[1] in text[begin:] or not _has_block_comments(lexer):
            return text, ""
        # Inside a string or another comment it begins nothing; anywhere else a closed one must be a comment.
        kind, start = self._token_at(lexer, text, begin)
        if start < begin and kind.startswith(("Token.Literal.String", "Token.Comment")):
            return text, ""
        kind, start = self._token_at(lexer, text[:begin] + "".join(_BLOCK_COMMENT), begin)
        is_comment = start == begin and kind.startswith("Token.Comment")
        return (text[:begin], text[begin:]) if is_comment else (text, "")

    def _token_at(self, lexer: Lexer, text: str, place: int) -> tuple[str, int]:
        """The kind of the token that a place in the line belongs to, and where that token starts."""
        tokens, _ = _read(lexer, text + "\n", self._stack)
        position = 0
        for kind, value in tokens:
            if position + len(value) > place:
                return str(kind), position
            position += len(value)
        return "", position

    def _spans(self, lexer: Lexer, text: str) -> Line:
        try:
            tokens, self._stack = _read(lexer, text + "\n", self._stack)
        except Exception:  # a lexer that cannot read one line alone, or a plugin's fault: colours are no reason to fail
            self._language = ""
            return [Span(text)] if text else []
        return [Span(value, _style(kind)) for kind, text in tokens if (value := text.rstrip("\n"))]


def _read(lexer: Lexer, text: str, stack: tuple[str, ...]) -> tuple[list[tuple[_TokenType, str]], tuple[str, ...]]:
    """The tokens of one line read from a state, and the state after it."""
    from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer

    if isinstance(lexer, ExtendedRegexLexer):
        if type(lexer).get_tokens_unprocessed is not ExtendedRegexLexer.get_tokens_unprocessed:
            return [(kind, value) for _, kind, value in lexer.get_tokens_unprocessed(text)], stack
        context = LexerContext(text, 0, [*stack])
        tokens = [(kind, value) for _, kind, value in lexer.get_tokens_unprocessed(context=context)]
        return tokens, tuple(context.stack)
    if isinstance(lexer, RegexLexer):
        return _read_by_rules(lexer, text, stack)
    return [(kind, value) for _, kind, value in lexer.get_tokens_unprocessed(text)], stack


def _read_by_rules(
    lexer: Any, text: str, stack: tuple[str, ...]
) -> tuple[list[tuple[_TokenType, str]], tuple[str, ...]]:
    """`RegexLexer.get_tokens_unprocessed`, which keeps its final state to itself, with that state returned."""
    from pygments.token import Error, _TokenType

    rules = lexer._tokens
    states = [*stack]
    tokens: list[tuple[_TokenType, str]] = []
    position = 0
    while position < len(text):
        for match_at, action, change in rules[states[-1]]:
            match = match_at(text, position)
            if not match:
                continue
            if type(action) is _TokenType:
                tokens.append((action, match.group()))
            elif action is not None:
                tokens += [(kind, value) for _, kind, value in action(lexer, match)]
            position = match.end()
            if change is not None:
                _change_state(states, change)
            break
        else:
            if text[position] == "\n":
                states = ["root"]
            tokens.append((Error, text[position]))
            position += 1
    return tokens, tuple(states[-50:]) if len(states) > 50 else tuple(states)


def _change_state(states: list[str], change: tuple[str, ...] | int | str) -> None:
    if isinstance(change, int):
        del states[max(1, len(states) + change) :]
        return
    for state in change if isinstance(change, tuple) else (change,):
        if state == "#pop":
            if len(states) > 1:
                states.pop()
        elif state == "#push":
            states.append(states[-1])
        else:
            states.append(state)
