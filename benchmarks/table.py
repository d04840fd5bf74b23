"""The tables that compare this server with the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    number: int
    name: str
    other: float
    ours: float
    goal: str
    met: bool
    digits: int = 2
    beside: str = "tutorial"
    """The name of the other server."""

    @property
    def ratio(self) -> str:
        return f"{self.ours / self.other:.2f}" if self.other else "–"


def at_most(number: int, name: str, other: float, ours: float, ratio: float = 1.0, digits: int = 2) -> Row:
    """Return a row for a figure whose goal is at most `ratio` times that of the other server."""
    return Row(number, name, other, ours, f"ratio ≤ {ratio:g}", ours <= ratio * other, digits)


def at_least(number: int, name: str, other: float, ours: float, ratio: float = 1.0, digits: int = 2) -> Row:
    """Return a row for a figure whose goal is at least `ratio` times that of the other server."""
    return Row(number, name, other, ours, f"ratio ≥ {ratio:g}", ours >= ratio * other, digits)


def tables(rows: Sequence[Row]) -> str:
    """Return a table for each server that ours is compared with."""
    names = dict.fromkeys(row.beside for row in rows)
    return "\n\n".join(_table(name, [row for row in rows if row.beside == name]) for name in names)


def _table(name: str, rows: Sequence[Row]) -> str:
    lines = [("row", name, "ours", "ratio", "goal", "")]
    for row in rows:
        figures = (f"{row.other:,.{row.digits}f}", f"{row.ours:,.{row.digits}f}", row.ratio)
        lines.append((f"{row.number}  {row.name}", *figures, row.goal, "ok" if row.met else "miss"))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    rule = (
        ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:4]] + ["-" * width for width in widths[4:]]
    )
    return "\n".join(_line(line, widths) for line in [lines[0], tuple(rule), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    figures = range(1, 4)
    padded = [c.rjust(w) if i in figures else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
    return "| " + " | ".join(padded) + " |"
