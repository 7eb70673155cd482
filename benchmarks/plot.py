"""Draws the table "spawn to request" of `docs/performance.md` as `docs/images/performance.svg`.

python benchmarks/plot.py
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
ROW = re.compile(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)
WIDTH, BAR, LEFT = 760, 22, 230


def main() -> None:
    """Write the picture."""
    text = (DOCS / "performance.md").read_text("utf-8")
    section = text.partition("spawn to request ms")[2].partition("\n\n")[0]
    rows = [(name, float(value)) for name, value, _ in ROW.findall(section)]
    (DOCS / "images").mkdir(exist_ok=True)
    (DOCS / "images" / "performance.svg").write_text(picture(rows), "utf-8")


def picture(rows: list[tuple[str, float]]) -> str:
    """Bars from the shortest to the longest."""
    longest = max(value for _, value in rows)
    scale = (WIDTH - LEFT - 90) / longest
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{len(rows) * (BAR + 8) + 40}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="20" font-weight="bold">Milliseconds from the command to its request</text>',
    ]
    for number, (name, value) in enumerate(sorted(rows, key=lambda row: row[1])):
        y = 34 + number * (BAR + 8)
        color = "#3b6fd4" if name.startswith("glm") else "#b8c0cc"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR}" fill="{color}"/>',
            f'<text x="{LEFT + value * scale + 6:.1f}" y="{y + 15}">{value:.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
