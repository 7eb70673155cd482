"""A terminal that knows the few sequences our renderer may send, and is quick."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

_TOKEN = re.compile(
    r"\x1b\[(?P<given>[?\d;]*)(?P<final>[A-Za-z])|\x1b\]8;;(?P<link>[^\x1b]*)\x1b\\|[\r\n]|[^\x1b\r\n]+"
)
#: What shows on a blank: background, underline, reverse, strike.
_ON_BLANKS = ("bg", "4", "7", "9")
_ENDS = {"22": ("1", "2"), "23": ("3",), "24": ("4",), "27": ("7",), "29": ("9",), "39": ("fg",), "49": ("bg",)}
Cell = tuple[str, tuple[tuple[str, str], ...]]


class Cells:
    """Rows of cells, those in the scrollback first. Raises ValueError for a sequence that it does not know."""

    def __init__(self, width: int, height: int) -> None:
        self.rows: list[list[Cell]] = [[]]
        self.x = self.y = 0
        self._width, self._height = width, height
        self._style: dict[str, str] = {}
        self._cell_style: tuple[tuple[str, str], ...] = ()

    def write(self, text: str) -> None:
        """Take a frame."""
        at = 0
        for found in _TOKEN.finditer(text):
            if found.start() != at:
                break
            at = found.end()
            self._take(found)
        if at != len(text):
            raise ValueError(f"not a sequence of ours: {text[at : at + 20]!r}")

    def _take(self, found: re.Match[str]) -> None:
        token = found[0]
        if token == "\n":
            self._line_feed()
        elif token == "\r":
            self.x = 0
        elif found["final"]:
            self._sequence(found["given"], found["final"])
        elif found["link"] is not None:
            self._set("link", found["link"])
        else:
            self._draw(token)

    def _line_feed(self) -> None:
        self.x, self.y = 0, self.y + 1
        if self.y == len(self.rows):
            self.rows.append([])

    def _draw(self, text: str) -> None:
        for character in text:
            width = 2 if east_asian_width(character) in "WF" else 1
            if self.x + width > self._width and self.x:
                self._line_feed()
            row = self.rows[self.y]
            row.extend([(" ", ())] * (self.x + width - len(row)))
            row[self.x] = (character, self._cell_style)
            if width == 2:
                row[self.x + 1] = ("", self._cell_style)
            self.x += width

    def _sequence(self, given: str, final: str) -> None:
        count = int(given) if given.isdigit() else 1
        top = max(0, len(self.rows) - self._height)
        match final:
            case "m":
                self._select(given.split(";"))
            case "A":
                self.y = max(top, self.y - count)
            case "B":
                self.y = min(len(self.rows) - 1, self.y + count)
            case "G":
                self.x = min(count, self._width) - 1
            case "K":
                del self.rows[self.y][self.x :]
            case "J":
                del self.rows[self.y][self.x :]
                self.rows[self.y + 1 :] = [[] for _ in self.rows[self.y + 1 :]]
            case "M":
                del self.rows[self.y : self.y + count]
                self.rows += [[] for _ in range(count)]
            case "h" | "l" if given in ("?2026", "?25"):
                pass
            case _:
                raise ValueError(f"not a sequence of ours: {given}{final}")

    def _select(self, codes: list[str]) -> None:
        while codes:
            code = codes.pop(0) or "0"
            if code == "0":
                self._style = {name: value for name, value in self._style.items() if name == "link"}
            elif code in ("38", "48"):
                size = 2 if codes[0] == "5" else 4
                self._style["fg" if code == "38" else "bg"] = ";".join(codes[:size])
                del codes[:size]
            elif code in _ENDS:
                self._style = {name: value for name, value in self._style.items() if name not in _ENDS[code]}
            else:
                name = code if len(code) == 1 else "fg" if code[0] in "39" else "bg"
                self._style[name] = code
        self._cell_style = tuple(sorted(self._style.items()))

    def _set(self, name: str, value: str) -> None:
        self._style[name] = value
        self._style = {name: value for name, value in self._style.items() if value}
        self._cell_style = tuple(sorted(self._style.items()))

    def looks(self) -> list[list[Cell]]:
        """What is seen: without blanks at the ends of rows, and empty rows at the end."""
        rows = [[_seen(cell) for cell in row] for row in self.rows]
        for row in rows:
            while row and row[-1] == (" ", ()):
                row.pop()
        while rows and not rows[-1]:
            rows.pop()
        return rows


def _seen(cell: Cell) -> Cell:
    character, style = cell
    return cell if character != " " else (" ", tuple(item for item in style if item[0] in _ON_BLANKS))
