"""The dialog before an outage: what stops, what stays, the commands in full. Cancel has the focus; only `y` acts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from textual import events

from cockpit.actions.run import Run
from cockpit.domain.events import Failed, StepFinished, StepStarted
from cockpit.domain.plan import Plan, Tier
from cockpit.tui import units
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, shape, t, width, wrap
from cockpit.tui.screens import dialog_lines as say
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.conduct import Conductor

_VERBS = {"rollback": "roll back", "deploy": "deploy", "resume": "lift the hold"}


class PlanDialog(Overlay[bool]):
    """Opens while the plan is computed; `ask` is the run's approval."""

    wanted = 112
    edge = "warn"

    def __init__(self, conductor: Conductor, title: str) -> None:
        super().__init__()
        self._conductor = conductor
        self._words = title
        self._run: Run | None = None
        self._plan: Plan | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._answerable_from: float | None = None
        """`time.monotonic` when the plan had been painted; what was typed before is not an answer."""
        self._typed = ""
        self._top = 0
        self._buttons: list[tuple[int, int, int, str]] = []

    # the run

    def attend(self, run: Run) -> None:
        self._run = run

    def on_mount(self) -> None:
        super().on_mount()
        work(self, self._follow, "follow")

    async def _follow(self) -> None:
        """Shows the planning as it goes, and what became of it when there is nothing to ask."""
        if self._run is None:
            return
        async for _ in self._run.events():
            if self._plan is None or self._run.finished:
                self.fit_panel()
        self.fit_panel()

    async def ask(self, plan: Plan) -> bool:
        """The approval of the run: True after `y`."""
        self._plan = plan
        self._answer = asyncio.get_running_loop().create_future()
        self.edge = "bad" if self.tier is Tier.DATA_LOSS else "warn"
        self.call_after_refresh(self._show)
        try:
            return await self._answer
        finally:
            if self.is_attached and self.is_active:
                self.dismiss(self._answer.done() and not self._answer.cancelled() and self._answer.result())

    def _show(self) -> None:
        self.fit_panel()
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._answerable_from = monotonic()

    @property
    def tier(self) -> Tier:
        return self._conductor.tier(self._plan) if self._plan else Tier.READ

    @property
    def _object(self) -> str:
        """What has to be typed for a loss of data."""
        return self._plan.hosts[0].host if self._plan and self._plan.hosts else ""

    # drawing

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        plan = self._plan
        if plan is None or self._answer is None:
            return on_ground([EMPTY, *self._planning(cells), EMPTY], "raised")
        head = [EMPTY, say.headline(plan, self.tier, self._words, cells), EMPTY]
        impact = say.impact(plan, cells)
        commands = [line for host in plan.hosts for line in say.command_lines(host.commands, cells)]
        tail = [*say.failure(plan, cells), EMPTY, self._button_line(cells), EMPTY]
        title = ends(t("Commands", "text b"), t("exactly these; afterwards in ", "muted") + t("@", "text b"), cells)
        room = rows - len(head) - len(impact) - len(tail) - 2
        if commands and room < min(3, len(commands)):
            # the sections scroll with the commands; one line that stays says what is at stake
            commands = [*impact, title, *commands]
            head = [*head[:2], say.impact_in_short(plan), EMPTY] if rows > 16 else [head[1], say.impact_in_short(plan)]
            tail = tail if rows > 16 else tail[-2:-1]
            impact, titled = [], []
            room = rows - len(head) - len(tail)
        else:
            titled = [title]
            room += 1
        shown = self._window(commands, max(1, room - (1 if commands and titled else 0)))
        body = [*head, *impact, *(titled if commands else []), *shown, *([EMPTY] if titled and commands else []), *tail]
        at = len(body) - (2 if tail[-1] is EMPTY else 1)
        self._buttons = [(a, b, at, name) for a, b, _, name in self._buttons]
        return on_ground(body, "raised")

    def _window(self, lines: list[Line], room: int) -> list[Line]:
        if len(lines) <= room:
            self._top = 0
            return lines
        self._top = max(0, min(self._top, len(lines) - room))
        shown = lines[self._top : self._top + room]
        if rest := len(lines) - self._top - room:
            shown[-1] = gap(3) + t(f"↓ {rest + 1} more, j scrolls", "faint")
        return shown

    def _planning(self, cells: int) -> list[Line]:
        """Steps so far, or what became of the run."""
        run = self._run
        out = [ends(t(self._words, "text b"), t("esc cancels, nothing has changed", "muted"), cells), EMPTY]
        if run is None:
            return out
        failures = [e for e in run.log if isinstance(e, Failed)]
        if run.finished:
            outcome = run.outcome
            for failed in failures:
                out += [gap(2) + shape("✕") + gap(1) + t(f"{failed.host + ': ' if failed.host else ''}{failed.what}", "text b")]
                out += wrap(failed.why, cells - 6, "muted", 4) + wrap(failed.hint, cells - 6, "text", 4)
            if not failures and outcome is not None:
                out += [
                    gap(2) + shape("●" if not outcome.exit else "✕") + gap(1) + t(f"{h.host}: {h.text}") for h in outcome.hosts
                ]
                out += [
                    line
                    for h in outcome.hosts
                    for line in (*wrap(h.why, cells - 6, "muted", 4), *wrap(h.hint, cells - 6, "text", 4))
                ]
            return [*out, EMPTY, ends(t("  Close  ", "ink b on accent"), t("nothing has changed", "muted"), cells)]
        steps: dict[tuple[str, str], StepStarted | StepFinished] = {}
        for event in run.log:
            if isinstance(event, StepStarted | StepFinished):
                steps[event.host, event.step] = event
        for (host, step), event in steps.items():
            done = isinstance(event, StepFinished)
            took = units.duration(event.seconds) if isinstance(event, StepFinished) else ""
            mark = shape("●") if done else shape("◐")
            out.append(
                gap(2)
                + mark
                + gap(1)
                + fit(t(host, "muted"), 12)
                + fit(t(step, "muted" if done else "text b"), 10)
                + fit(t(took, "muted"), 6, "r")
                + gap(2)
                + t(event.text, "muted")
            )
        return [*out, gap(2) + shape("◐") + t(" working out the plan", "muted"), EMPTY, t("  Cancel  ", "ink b on accent")]

    def _button_line(self, cells: int) -> Line:
        plan = self._plan
        verb = _VERBS.get(plan.action if plan else "", "go on")
        cancel = t("  Cancel  ", "ink b on accent")
        armed = self._conductor.cockpit.gate.armed
        if self.tier is Tier.DATA_LOSS:
            act = (
                t("type ", "muted")
                + t(self._object, "text b")
                + t(" and enter: ", "muted")
                + t(f" {self._typed} ", "text on sel2")
                + t(" ", "ink on accent")
            )
            words: Line = EMPTY
        else:
            act = t(" y ", "text b on sel2") + t(f" {verb} ", "text on sel2")
            words = EMPTY if armed else t("read-only: ", "muted") + t("y", "text b") + t(" arms this one action", "muted")
        left = cancel + gap(3) + act
        if width(left) + width(words) + 2 > cells:
            words = EMPTY
        self._buttons = [(0, width(cancel), 0, "cancel"), (width(cancel) + 3, width(left), 0, "act")]
        return ends(left, words, cells)

    # answers

    def press(self, event: events.Key) -> None:
        key = event.key
        if self.tier is Tier.DATA_LOSS and self._answer is not None and key not in ("escape", "ctrl+c"):
            self._type(event)
        elif key in ("escape", "q", "n", "enter", "ctrl+c"):
            self.cancel()
        elif key == "y":
            self.act(event.time)
        elif key in ("j", "down", "k", "up", "ctrl+d", "ctrl+u"):
            self.scroll_by({"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 6, "ctrl+u": -6}[key])
        elif key == "ctrl+o" and self._plan is not None:
            self.app.copy_to_clipboard("\n".join(c for h in self._plan.hosts for c in h.commands))

    def _type(self, event: events.Key) -> None:
        if event.key == "enter":
            if self._typed == self._object:
                self.act(event.time)
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character:
            self._typed += event.character
        self.panel.redraw()

    def act(self, at: float) -> None:
        """Yes. What was typed before the plan was on the screen is no answer."""
        if (
            self._answerable_from is None
            or at < self._answerable_from
            or self._answer is None
            or self._answer.done()
            or self._plan is None
        ):
            return
        self._answer.set_result(True)
        self._conductor.approved(self._plan)

    def cancel(self) -> None:
        run = self._run
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(False)
        elif run is not None and not run.finished:
            self._conductor.cockpit.runs.cancel(run)
            self.dismiss(False)
        else:
            self.dismiss(False)

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def clicked(self, x: int, y: int) -> None:
        for start, end, row, name in self._buttons:
            if row == y and start <= x < end:
                self.cancel() if name == "cancel" else self.act(monotonic()) if self.tier is not Tier.DATA_LOSS else None
                return
        if self._plan is None and self._run is not None and self._run.finished:
            self.dismiss(False)
