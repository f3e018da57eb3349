"""What the faces (command line, terminal UI) get: every action and observer of one homelab."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from cockpit.actions.run import Approve, Run, never
from cockpit.actions.safety import Gate
from cockpit.domain.errors import Defect, Exit, UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.ids import new_run_id
from cockpit.domain.settings import Settings, UserSettings
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet
from cockpit.ports import AuditLog, Clock, Repository, WorkTree

if TYPE_CHECKING:  # each is made, and imported, when it is used first
    from cockpit.actions.attach import Attach
    from cockpit.actions.bootstrap import Bootstrap
    from cockpit.actions.deploy import Deploy
    from cockpit.actions.doctor import Doctor
    from cockpit.actions.files import FileActions
    from cockpit.actions.guests import GuestActions
    from cockpit.actions.images import ImageActions
    from cockpit.actions.releases import ReadOnly, Releases
    from cockpit.actions.resume import Resume
    from cockpit.actions.rollback import Rollback
    from cockpit.actions.services import ServiceActions


class Runs:
    """The runs that live in this process, newest last. They outlast the screens that watch them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runs: list[Run] = []
        self._tasks: dict[Run, asyncio.Task[Outcome]] = {}
        self.listeners: list[Callable[[Run], None]] = []
        """Called on the event loop whenever a run starts."""
        self.ended: list[Callable[[Outcome], None]] = []
        """Called on the event loop with what each run came to."""
        self.on_defect: Callable[[Exception], str] | None = None
        """Reports a mistake of ours and says where; without it the run's task raises."""

    def new(self, *, approve: Approve = never, action: str = "", title: str = "") -> Run:
        """A run that is registered, with nothing at work yet."""
        run_id = new_run_id(self._clock.now())
        while any(run.id == run_id for run in self._runs):
            run_id = new_run_id(self._clock.now())
        run = Run(run_id, self._clock, approve, action=action, title=title)
        self._runs.append(run)
        return run

    def start(
        self, work: Callable[[Run], Awaitable[Outcome]], *, approve: Approve = never, action: str = "", title: str = ""
    ) -> Run:
        """Starts an action in the background, e.g. `lambda run: cockpit.deploy.execute(hosts, run=run)`."""
        run = self.new(approve=approve, action=action, title=title)

        async def body() -> Outcome:
            try:
                return await work(run)
            except Exception as error:
                hint = self.on_defect(error) if self.on_defect is not None else ""
                run.fail(Defect(f"a defect in cockpit: {type(error).__name__}", "", hint))
                run.finish(Outcome(run.id, Exit.DEFECT, ()), "a defect in cockpit")
                if self.on_defect is None:
                    raise
                return await run.wait()

        self._tasks[run] = task = asyncio.create_task(body(), name=f"run {run.id}")
        task.add_done_callback(self._tell)
        for listener in tuple(self.listeners):
            listener(run)
        return run

    def _tell(self, task: asyncio.Task[Outcome]) -> None:
        if not task.cancelled() and task.exception() is None:
            for listener in tuple(self.ended):
                listener(task.result())

    def cancel(self, run: Run) -> None:
        """Ends what can be ended; a transaction goes on by itself on its host, and the run says Detached."""
        if task := self._tasks.get(run):
            task.cancel()

    async def close(self) -> None:
        """Lets go of every run, and waits until each has said so."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def list(self) -> tuple[Run, ...]:
        return tuple(self._runs)

    def get(self, prefix: str) -> Run:
        """The run with this id or unique prefix. UsageError otherwise."""
        found = [run for run in self._runs if run.id.startswith(prefix)]
        if len(found) != 1:
            raise UsageError(f"{len(found) or 'no'} runs here begin with {prefix!r}")
        return found[0]


class Cockpit(Struct):
    settings: Settings
    user: UserSettings
    clock: Clock
    repository: Repository
    fleet: Fleet
    deploy: Deploy
    rollback: Rollback
    resume: Resume
    attach: Attach
    releases: Releases
    read_only: ReadOnly
    bootstrap: Bootstrap
    work_tree: WorkTree
    files: Files
    file_actions: FileActions
    guests: GuestActions
    services: ServiceActions
    doctor: Doctor
    images: ImageActions
    gate: Gate
    audit: AuditLog
    runs: Runs
    who: str
    origin: str
    """Where runs are started: host name, or the CI run's URL."""
    version: str
    closing: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What holds connections; closed in order."""

    async def close(self) -> None:
        await self.runs.close()
        await self.fleet.stop()
        await self.files.close()
        for close in self.closing:
            await close()
