"""The dialog before an outage: what stops, what stays, the commands in full. Cancel has the focus; only `y` acts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cockpit.actions.run import Run
from cockpit.domain import units
from cockpit.domain.events import Failed, StepFinished, StepStarted
from cockpit.domain.plan import Plan
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, shape, t, wrap
from cockpit.tui.screens import dialog_lines as say
from cockpit.tui.screens.question import Question
from cockpit.tui.widgets.surface import Drawn, on_ground
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.conduct import Conductor

_VERBS = {"rollback": "roll back", "deploy": "deploy", "resume": "lift the hold"}


class PlanDialog(Question):
    """Opens while the plan is computed; `ask` is the run's approval."""

    def __init__(self, conductor: Conductor, title: str) -> None:
        super().__init__(conductor)
        self._words = title
        self._run: Run | None = None
        self._plan: Plan | None = None

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
        self.tier = self._conductor.tier(plan)
        self.verb = _VERBS.get(plan.action, "go on")
        self.object = plan.hosts[0].host if plan.hosts else ""
        self.commands = tuple(c for h in plan.hosts for c in h.commands)
        return await self.answer(partial(self._conductor.approved, plan))

    # drawing

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        plan = self._plan
        if plan is None or self._answer is None:
            return on_ground([EMPTY, *self._planning(cells), EMPTY], "raised")
        head = [EMPTY, say.headline(plan, self.tier, self._words, cells), EMPTY]
        impact = say.impact(plan, cells)
        commands = [line for host in plan.hosts for line in say.command_lines(host.commands, cells)]
        tail = [*say.failure(plan, cells), EMPTY, self.button_line(cells), EMPTY]
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
        shown = self.window(commands, max(1, room - (1 if commands and titled else 0)))
        body = [*head, *impact, *(titled if commands else []), *shown, *([EMPTY] if titled and commands else []), *tail]
        at = len(body) - (2 if tail[-1] is EMPTY else 1)
        self.place_buttons(at)
        return on_ground(body, "raised")

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

    # answers

    def cancel(self) -> None:
        run = self._run
        if self._plan is None and run is not None and not run.finished:
            self._conductor.cockpit.runs.cancel(run)
        super().cancel()

    def clicked(self, x: int, y: int) -> None:
        super().clicked(x, y)
        if self._plan is None and self._run is not None and self._run.finished and self.is_attached:
            self.dismiss(False)
