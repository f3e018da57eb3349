"""Starts actions for a person: plan, dialog, and the run that Releases then shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import BY_ID, Context
from cockpit.actions.doing import GUEST_VERBS, SERVICE_VERBS
from cockpit.actions.run import Approval, Run
from cockpit.actions.safety import raised
from cockpit.domain.containers import Lifecycle
from cockpit.domain.events import Outcome
from cockpit.domain.guests import Verb
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Plan, Tier
from cockpit.tui.ink import Line, shape, t
from cockpit.tui.widgets.surface import Handlers

if TYPE_CHECKING:
    from textual.app import App


class Stage(Protocol):
    """What the conductor needs of the main screen."""

    @property
    def app(self) -> App[int]: ...

    def context(self) -> Context: ...
    def say(self, line: Line) -> None: ...
    def ask_once(self, question: Line) -> Awaitable[bool]: ...
    def visit(self, name: str, key: str, action: str | None = None) -> None: ...


class Conductor:
    def __init__(self, cockpit: Cockpit, stage: Stage) -> None:
        self.cockpit = cockpit
        self.stage = stage
        self._telling: set[asyncio.Task[None]] = set()

    def handlers(self) -> Handlers:
        return {
            "release.deploy": self.deploy,
            "host.previous": self.previous,
            "host.rollback": self.rollback,
            "host.resume": self.resume,
            "release.rollback": self.rollback_to_release,
            "release.attach": self.attach,
            **{action: partial(self.change_guests, action, verb) for action, verb in GUEST_VERBS.items()},
            **{action: partial(self.change_services, action, verb) for action, verb in SERVICE_VERBS.items()},
        }

    def tier(self, plan: Plan) -> Tier:
        """The tier that is asked for: a protected host raises it by one."""
        protected = any(
            self.cockpit.settings.hosts[h.host].protected for h in plan.hosts if h.host in self.cockpit.settings.hosts
        )
        return raised(plan.tier, protected)

    def begin(self, action: str, title: str, work: Callable[[Run], Awaitable[Outcome]]) -> None:
        """Plans in sight of the person; nothing is changed before the dialog is answered."""
        from cockpit.tui.screens.dialog import PlanDialog

        dialog = PlanDialog(self, title)
        run = self.cockpit.runs.start(work, approve=dialog.ask, action=action, title=title)
        dialog.attend(run)
        self.stage.app.push_screen(dialog)

    def approved(self, plan: Plan) -> None:
        self.cockpit.gate.allow_once(plan)
        self.stage.visit("releases", plan.run)

    def operate(self, action: str, title: str, work: Callable[[Run, Approval], Awaitable[Outcome]]) -> Run:
        """Starts an operation: its plan says how dangerous it is, and what is asked before it. The footer tells how it ended."""
        run = self.cockpit.runs.start(lambda run: work(run, self.ask_operation), action=action, title=title)
        self._tell(run)
        return run

    async def ask_operation(self, operation: Operation, tier: Tier) -> bool:
        """The approval of an operation, by a person: nothing, one line, or the dialog."""
        if tier is Tier.REVERSIBLE:
            return self.cockpit.gate.armed or await self.stage.ask_once(t(operation.title, "text b"))
        from cockpit.tui.screens.operation_dialog import OperationDialog

        dialog = OperationDialog(self, operation, tier)
        await self.stage.app.push_screen(dialog)
        return await dialog.ask()

    def approved_operation(self, operation: Operation) -> None:
        self.stage.say(shape("◐") + t(f" {operation.title}", "muted"))

    def change_guests(self, action: str, verb: Verb) -> None:
        """The marked guests, else the one under the cursor; or the snapshot under it."""
        context = self.stage.context()
        refs = [guest.ref for guest in context.guests]
        old = context.snapshot.name if context.snapshot and verb in (Verb.ROLLBACK, Verb.DELETE_SNAPSHOT) else ""
        names = context.guests[0].label if len(refs) == 1 else f"{len(refs)} guests"
        title = f"{BY_ID[action].title}: {names}"
        self.stage.say(shape("◐") + t(f" {title}", "muted"))
        self.operate(action, title, lambda run, ask: self.cockpit.guests.execute(verb, refs, run, ask, snapshot=old))

    def change_services(self, action: str, verb: Lifecycle) -> None:
        """The marked services, else the one under the cursor, else its project."""
        context = self.stage.context()
        refs = [context.project] if context.project else [s.address for s in context.services]
        if action.startswith("project."):
            refs = list(dict.fromkeys("/".join(ref.split("/")[:2]) for ref in refs))
        names = refs[0].partition("/")[2] if len(refs) == 1 else f"{len(refs)} of them"
        title = f"{BY_ID[action].title}: {names}"
        self.stage.say(shape("◐") + t(f" {title}", "muted"))
        self.operate(action, title, lambda run, ask: self.cockpit.services.execute(verb, refs, run, ask))

    def deploy(self) -> None:
        context = self.stage.context()
        hosts: Sequence[str] = context.hosts or ((context.host,) if context.host else tuple(self.cockpit.settings.hosts))
        self.begin("release.deploy", f"Deploy {', '.join(hosts)}", lambda run: self.cockpit.deploy.execute(hosts, run=run))

    def rollback(self) -> None:
        context = self.stage.context()
        if context.host and context.generation:
            host, to = context.host, context.generation.number
            self.begin("host.rollback", f"Roll back {host}", lambda run: self.cockpit.rollback.execute(host, to, run))

    def previous(self) -> None:
        context = self.stage.context()
        host = context.host or next(iter(self.cockpit.settings.hosts), None)
        if host:
            self.begin("host.previous", f"Roll back {host}", lambda run: self.cockpit.rollback.execute(host, None, run))

    def rollback_to_release(self) -> None:
        release = self.stage.context().release
        attempt = next((a for a in release.attempts if a.generation is not None), None) if release else None
        if attempt is not None:
            host, to = attempt.host, attempt.generation
            self.begin("release.rollback", f"Roll back {host}", lambda run: self.cockpit.rollback.execute(host, to, run))

    def resume(self) -> None:
        context = self.stage.context()
        host = context.host
        if host:

            async def approve(plan: Plan) -> bool:
                self.cockpit.gate.allow_once(plan)
                return True

            run = self.cockpit.runs.start(
                lambda run: self.cockpit.resume.execute(host, run),
                approve=approve,
                action="host.resume",
                title=f"Lift the hold of {host}",
            )
            self.stage.say(t(f"Lifting the hold of {host}", "muted"))
            self._tell(run)

    def attach(self) -> None:
        release = self.stage.context().release
        if release is not None:
            prefix = release.run
            run = self.cockpit.runs.start(
                lambda run: self.cockpit.attach.execute(prefix, run), action="release.attach", title=f"Watching {prefix}"
            )
            self.stage.visit("releases", prefix)
            self._tell(run)

    def _tell(self, run: Run) -> None:
        """Says in the footer how a run without a dialog ended."""

        async def tell() -> None:
            outcome = await run.wait()
            failed = [host for host in outcome.hosts if host.exit]
            shown = (failed or list(outcome.hosts))[:1]
            for host in shown:
                name = f"{host.host}: " if host.host else ""
                words = shape("✕" if host.exit else "●") + t(f" {name}{host.text}") + t(f"  {host.why} {host.hint}", "muted")
                rest = len(outcome.hosts) - 1
                self.stage.say(
                    words + t(f"  {len(failed)} of {rest + 1} failed" if failed else f"  and {rest} more", "muted")
                    if rest
                    else words
                )

        task = asyncio.create_task(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
