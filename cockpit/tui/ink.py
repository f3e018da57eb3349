"""Rows as values. A line is a tuple of (text, style words); lines are joined with `+` and become strips in theme.Skin.

`t` is the only maker of spans: it makes outside text harmless, so no line can carry an escape or markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from cockpit.domain.text import plain

Span = tuple[str, str]
Line = tuple[Span, ...]

EMPTY: Line = ()
TONES = {
    "●": "good", "◐": "busy", "▲": "warn", "✕": "bad", "≠": "warn", "‖": "warn", "↺": "warn",
    "±": "muted", "⊘": "faint", "○": "faint", "◌": "faint", "↑": "accent", "✓": "muted", "↻": "warn", "·": "muted",
}  # fmt: skip
"""The colour that goes with a shape."""


def t(text: object, spec: str = "text") -> Line:
    """Words in a style; outside text is made harmless here."""
    words = plain(str(text))
    return ((words, spec),) if words else EMPTY


def shape(char: str, tone: str | None = None) -> Line:
    return ((char, tone or TONES[char]),)


def gap(cells: int) -> Line:
    return ((" " * cells, "text"),) if cells > 0 else EMPTY


def width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def restyle(line: Line, spec: str) -> Line:
    """The same words, all in one style."""
    return tuple((text, spec) for text, _ in line)


def lit(line: Line, ground: str) -> Line:
    """On a ground, where a span names none."""
    return tuple((text, spec if " on " in f" {spec}" else f"{spec} on {ground}") for text, spec in line)


def cut(line: Line, cells: int) -> Line:
    """At most `cells` wide, `…` at the end where something is missing."""
    if width(line) <= cells:
        return line
    if cells <= 0:
        return EMPTY
    room, out, spec = cells - 1, [], "text"
    for text, spec in line:
        long = cell_len(text)
        if long > room:
            out.append((set_cell_size(text, room), spec))
            break
        out.append((text, spec))
        room -= long
        if room == 0:
            break
    return (*out, ("…", spec))


def fit(line: Line, cells: int, align: str = "l") -> Line:
    """Exactly `cells` wide."""
    line = cut(line, cells)
    room = cells - width(line)
    if room <= 0:
        return line
    if align == "r":
        return gap(room) + line
    if align == "c":
        return gap(room // 2) + line + gap(room - room // 2)
    return line + gap(room)


def ends(left: Line, right: Line, cells: int) -> Line:
    """Left and right flushed; the left one gives way."""
    room = cells - width(right)
    if not right or room < 4:
        return fit(left, cells)
    return fit(left, room - 2) + gap(2) + right if width(left) > room - 2 else fit(left, room) + right


def join(parts: Iterable[Line], between: Line) -> Line:
    out: Line = EMPTY
    for part in parts:
        if part:
            out = out + between + part if out else part
    return out


def heading(title: Line, cells: int, right: Line = EMPTY, done: float | None = None) -> Line:
    """Title, thin rule, facts. The rule of a running thing is its progress bar."""
    if right and width(title) + width(right) + 4 > cells:
        right = cut(right, max(0, cells - width(title) - 4))
    rule = cells - width(title) - width(right) - (2 if right else 1)
    if rule < 1:
        return fit(title, cells)
    tail = gap(1) + right if right else EMPTY
    if done is None:
        return title + gap(1) + (("─" * rule, "line"),) + tail
    return title + gap(1) + meter(done, rule, "busy") + tail


def title(words: str, focus: bool) -> Line:
    return t(words, "accent b" if focus else "text b")


def meter(share: float, cells: int, tone: str = "muted") -> Line:
    full = max(0, min(cells, round(share * cells)))
    return tuple(s for s in (("━" * full, tone), ("━" * (cells - full), "line")) if s[0])


def pips(shapes: Sequence[str], most: int = 18) -> Line:
    """One shape per object, bad first."""
    order = "✕▲‖≠◐◌●○"
    kept = sorted(shapes, key=lambda c: order.find(c) if c in order else 99)[:most]
    return tuple((c, TONES[c]) for c in kept)


def spark(values: Sequence[float], tone: str = "muted") -> Line:
    """0..9 on an absolute scale, never full height; idle is line-coloured."""
    steps = "▁▁▁▂▂▃▄▅▆▆"
    return tuple((steps[max(0, min(9, int(v)))], "line" if v < 2 else tone) for v in values)


def sparse_rule(words: Line, cells: int, tone: str) -> Line:
    """`╌╌ ▲ 1,284 lines dropped ╌╌╌╌`."""
    body = cut(words, cells - 6)
    return t("╌╌ ", tone) + body + t(" " + "╌" * max(2, cells - width(body) - 4), tone)


def wrap(words: str, cells: int, spec: str = "muted", indent: int = 0) -> list[Line]:
    """Words of ours or others', broken at spaces."""
    out: list[Line] = []
    row = ""
    for word in plain(words).split():
        while cell_len(word) > cells:
            if row:
                out.append(gap(indent) + t(row, spec))
                row = ""
            out.append(gap(indent) + t(word[:cells], spec))
            word = word[cells:]
        if row and cell_len(row) + 1 + cell_len(word) > cells:
            out.append(gap(indent) + t(row, spec))
            row = word
        else:
            row = f"{row} {word}" if row else word
    if row:
        out.append(gap(indent) + t(row, spec))
    return out


class Column(Struct, frozen=True):
    """A column of a table. Width 0 takes what is left."""

    title: str
    width: int
    align: str = "l"


def widths(columns: Sequence[Column], cells: int, between: int) -> list[int]:
    fixed = sum(c.width for c in columns) + between * (len(columns) - 1)
    free = [c for c in columns if c.width == 0]
    each = max(0, cells - fixed) // max(1, len(free))
    return [c.width or each for c in columns]


def row(cells: Sequence[Line], columns: Sequence[Column], total: int, between: int = 2) -> Line:
    """Cells under their columns."""
    out: Line = EMPTY
    for index, (cell, column, wide) in enumerate(zip(cells, columns, widths(columns, total, between), strict=True)):
        out = out + (gap(between) if index else EMPTY) + fit(cell, wide, column.align)
    return out


def titles(columns: Sequence[Column], total: int, between: int = 2) -> Line:
    return row([t(c.title, "faint") for c in columns], columns, total, between)


def side_by_side(left: Sequence[Line], right: Sequence[Line], left_cells: int, tall: int) -> list[Line]:
    """Two stacks parted by one thin rule."""
    out = []
    for index in range(max(len(left), len(right), tall)):
        a = left[index] if index < len(left) else EMPTY
        b = right[index] if index < len(right) else EMPTY
        out.append(fit(a, left_cells) + t("│", "line") + gap(1) + b)
    return out


def split(line: Line, cells: int) -> list[Line]:
    """A line broken into rows of at most `cells`, by the cell."""
    rows: list[Line] = []
    current: list[Span] = []
    room = cells
    for text, spec in line:
        while text:
            if cell_len(text) <= room:
                current.append((text, spec))
                room -= cell_len(text)
                break
            head = set_cell_size(text, room).rstrip("\x00") if room > 0 else ""
            taken = min(len(head), len(text)) if cell_len(text[: len(head)]) <= room else max(0, len(head) - 1)
            if taken:
                current.append((text[:taken], spec))
            text = text[taken:]
            rows.append(tuple(current))
            current, room = [], cells
    return [*rows, tuple(current)] if current or not rows else rows


def mark(line: Line, needle: str, spec: str) -> Line:
    """Every occurrence of a word in another style; upper and lower case are the same."""
    needle = needle.lower()
    if not needle:
        return line
    out: list[Span] = []
    for text, style in line:
        low, at = text.lower(), 0
        if len(low) != len(text):
            out.append((text, style))
            continue
        while (found := low.find(needle, at)) >= 0:
            out += [(text[at:found], style), (text[found : found + len(needle)], spec)]
            at = found + len(needle)
        out.append((text[at:], style))
    return tuple(span for span in out if span[0])
