"""The dialog before an operation that interrupts or loses something: one of the family of design/look.md."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cockpit.domain.operation import Impact, Operation
from cockpit.domain.plan import Tier
from cockpit.tui.ink import EMPTY, Line, cut, ends, fit, gap, shape, t, width, wrap
from cockpit.tui.screens.dialog_lines import chip, command_lines
from cockpit.tui.screens.question import Question
from cockpit.tui.widgets.surface import Drawn, on_ground

if TYPE_CHECKING:
    from cockpit.tui.conduct import Conductor

NAMES = 24
"""Cells for what an impact is about, where there is room beside it."""


class OperationDialog(Question):
    def __init__(self, conductor: Conductor, operation: Operation, tier: Tier) -> None:
        super().__init__(conductor)
        self._operation = operation
        self.tier = tier
        self.verb = operation.verb
        self.object = operation.typed
        self.commands = operation.commands

    async def ask(self) -> bool:
        return await self.answer(partial(self._conductor.approved_operation, self._operation))

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        operation = self._operation
        left = chip(self.tier) + gap(3 if cells > 56 else 1) + t(operation.title, "text b")
        count = t(f"{len(operation.steps)} targets", "muted") if len(operation.steps) > 1 else EMPTY
        fits = width(left) + width(count) + 2 <= cells
        head = [EMPTY, ends(left, count, cells) if fits else cut(left, cells), EMPTY]
        impact: list[Line] = []
        for name, found in (
            ("Interrupts", operation.interrupts), ("Does not come back", operation.lost), ("Afterwards", operation.afterwards),
        ):  # fmt: skip
            if found:
                impact += [t(name, "text b"), *(line for one in found for line in _entry(one, cells)), EMPTY]
        title = ends(t("Commands", "text b"), t("exactly these; afterwards in ", "muted") + t("@", "text b"), cells)
        commands = command_lines(operation.commands, cells)
        tail = [EMPTY, self.button_line(cells), EMPTY]
        room = rows - len(head) - len(tail) - len(impact) - 1
        if room < min(3, len(commands)):
            # what is at stake stays, as far as it can; the rest scrolls with the commands
            kept = impact[: max(0, min(len(impact), rows - len(head) - len(tail) - 3))]
            scrolled = [*impact[len(kept) :], title, *commands]
            body = [*head, *kept, *self.window(scrolled, max(1, rows - len(head) - len(tail) - len(kept))), *tail]
        else:
            body = [*head, *impact, title, *self.window(commands, room), *tail]
        self.place_buttons(len(body) - 2)
        return on_ground(body, "raised")


def _entry(impact: Impact, cells: int) -> list[Line]:
    lead = gap(2) + shape(impact.shape) + gap(1)
    if cells > 2 * NAMES:
        first, *rest = wrap(impact.why, cells - NAMES - 6, "muted") or [EMPTY]
        return [lead + fit(t(impact.what, "text b"), NAMES) + gap(2) + first, *(gap(NAMES + 6) + line for line in rest)]
    return [lead + cut(t(impact.what, "text b"), cells - 4), *wrap(impact.why, cells - 4, "muted", 4)]
