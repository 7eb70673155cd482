"""Shows a picture in a terminal that can: kitty, iTerm2, sixel, or coloured half blocks.

kitty takes PNG and iTerm2 takes any kind as they are; the other two need the
pixels, which Pillow reads (the extra `preview`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from glmcli.streams import Streams

#: Largest preview, in columns and lines.
MAX_COLUMNS, MAX_LINES = 60, 24
_PIECE = 4096  # what kitty takes in one escape code
_SIXEL_TERMS = ("foot", "mlterm", "yaft", "sixel", "contour")
_CELL_PIXELS = (8, 16)  # of a cell, roughly; sixel counts in pixels


class NeedsPillow(Exception):
    """The terminal could show the picture, if Pillow were there."""


def show_picture(path: Path, streams: Streams) -> bool:
    """Draw a picture on standard output; False when the terminal cannot. Raises NeedsPillow."""
    way = way_of(streams.environ)
    if not streams.stdout_is_tty or streams.is_dumb or not streams.may_color() or way is None:
        return False
    columns, lines = min(MAX_COLUMNS, streams.width - 2), min(MAX_LINES, streams.height - 4)
    if columns < 4 or lines < 2:
        return False
    if way is _kitty and not path.read_bytes()[:8].startswith(b"\x89PNG"):
        way = _half_blocks
    for piece in way(path, columns, lines):
        streams.write(piece)
    return True


Way = Callable[[Path, int, int], Iterator[str]]


def way_of(environ: Mapping[str, str]) -> Way | None:
    """How the terminal shows pictures, as far as its environment tells."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    # A multiplexer swallows the escape codes of the terminal around it.
    if not environ.get("TMUX") and not term.startswith(("tmux", "screen")):
        if environ.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
            return _kitty
        if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
            return _iterm
        if any(word in term for word in _SIXEL_TERMS):
            return _sixel
    has_colours = environ.get("COLORTERM") in ("truecolor", "24bit") or "256color" in term or "direct" in term
    return _half_blocks if has_colours else None


def _kitty(path: Path, columns: int, lines: int) -> Iterator[str]:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/"""
    text = b64encode(path.read_bytes()).decode()
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    for index, piece in enumerate(pieces):
        # One of the two measures only: the other follows from the shape of the picture.
        head = f"a=T,f=100,q=2,r={lines // 2 * 2}," if index == 0 else ""
        more = int(index + 1 < len(pieces))
        yield f"\x1b_G{head}m={more};{piece}\x1b\\"
    yield "\n"


def _iterm(path: Path, columns: int, lines: int) -> Iterator[str]:
    """https://iterm2.com/documentation-images.html"""
    data = path.read_bytes()
    yield f"\x1b]1337;File=inline=1;size={len(data)};width={columns};height={lines};preserveAspectRatio=1:"
    yield b64encode(data).decode()
    yield "\a\n"


def _half_blocks(path: Path, columns: int, lines: int) -> Iterator[str]:
    """Two pixels a cell: the upper one in the colour of the text, the lower one in that of the ground."""
    picture = _pixels(path, columns, 2 * lines)
    width, height = picture.size
    pixels = picture.load()
    for top in range(0, height - 1, 2):
        cells = ""
        for left in range(width):
            upper, lower = pixels[left, top], pixels[left, top + 1]
            cells += "\x1b[38;2;{};{};{};48;2;{};{};{}m▀".format(*upper, *lower)
        yield cells + "\x1b[0m\n"


def _sixel(path: Path, columns: int, lines: int) -> Iterator[str]:
    """DEC's sixel graphics: bands of six lines, one pass per colour."""
    picture = _pixels(path, columns * _CELL_PIXELS[0], lines * _CELL_PIXELS[1]).quantize(64)
    width, height = picture.size
    palette, pixels = picture.getpalette(), picture.load()
    yield f'\x1bPq"1;1;{width};{height}'
    for colour in range(len(palette) // 3):
        red, green, blue = (value * 100 // 255 for value in palette[3 * colour : 3 * colour + 3])
        yield f"#{colour};2;{red};{green};{blue}"
    for top in range(0, height, 6):
        yield _band(pixels, top, width, min(6, height - top))
    yield "\x1b\\\n"


def _band(pixels: Any, top: int, width: int, depth: int) -> str:
    rows: dict[int, list[int]] = {}
    for left in range(width):
        for down in range(depth):
            rows.setdefault(pixels[left, top + down], [0] * width)[left] |= 1 << down
    return "$".join(f"#{colour}" + "".join(chr(63 + bits) for bits in row) for colour, row in rows.items()) + "-"


def _pixels(path: Path, width: int, height: int) -> Any:
    """The picture scaled into a box, as RGB. Raises NeedsPillow."""
    try:
        pillow: Any = import_module("PIL.Image")
    except ImportError:
        raise NeedsPillow from None
    with pillow.open(path) as picture:
        scaled = picture.convert("RGB")
    scaled.thumbnail((width, height))
    return scaled
