"""Lines against other lines: what an editor's gutter shows, and a diff to read. Pure, and quick for long files."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import Enum

from msgspec import Struct

MOST_COMPARED = 20_000
"""Lines between the equal beginning and the equal end that are told apart one by one."""


class Mark(Enum):
    CHANGED = "changed"
    ADDED = "added"


class Block(Struct, frozen=True):
    """Rows `old_from:old_to` became rows `new_from:new_to`."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


def blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Where they differ, in order."""
    shortest = min(len(old), len(new))
    head = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    rest = shortest - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    if not a and not b:
        return []
    if not a or not b or max(len(a), len(b)) > MOST_COMPARED:
        return [Block(head, head + len(a), head, head + len(b))]
    codes = SequenceMatcher(None, a, b, autojunk=len(a) > 300).get_opcodes()
    return [Block(head + i, head + j, head + k, head + m) for tag, i, j, k, m in codes if tag != "equal"]


class Gutter(Struct, frozen=True):
    marks: dict[int, Mark]
    """By row."""
    below: frozenset[int]
    """Rows below which lines were removed; -1 is the top."""


def gutter(found: Sequence[Block]) -> Gutter:
    marks: dict[int, Mark] = {}
    below: set[int] = set()
    for block in found:
        old, new = block.old_to - block.old_from, block.new_to - block.new_from
        for at in range(new):
            marks[block.new_from + at] = Mark.CHANGED if at < old else Mark.ADDED
        if old > new:
            below.add(block.new_to - 1)
    return Gutter(marks, frozenset(below))


class DiffLine(Struct, frozen=True):
    sign: str
    """`+` `-` ` `, or `@` where lines are left out."""
    old: int | None
    new: int | None
    """Rows, from 0."""


def hunks(found: Sequence[Block], new_rows: int, around: int = 2, most: int = 500) -> list[DiffLine]:
    """Changed lines with some equal ones around them; at most so many, the rest is left out."""
    out: list[DiffLine] = []
    shown = 0
    for index, block in enumerate(found):
        if len(out) > most:
            break
        start = max(shown, block.new_from - around)
        if out and start > shown:
            out.append(DiffLine("@", None, None))
        shift = block.old_from - block.new_from
        out += [DiffLine(" ", row + shift, row) for row in range(start, block.new_from)]
        out += [DiffLine("-", row, None) for row in range(block.old_from, min(block.old_to, block.old_from + most))]
        out += [DiffLine("+", None, row) for row in range(block.new_from, min(block.new_to, block.new_from + most))]
        following = found[index + 1].new_from if index + 1 < len(found) else new_rows
        shown = min(block.new_to + around, following, new_rows)
        shift = block.old_to - block.new_to
        out += [DiffLine(" ", row + shift, row) for row in range(block.new_to, shown)]
    return out
