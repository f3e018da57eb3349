"""One container through a change: asked once, then looked at until it stays as it should, or does not."""

from __future__ import annotations

from cockpit.actions.run import Run
from cockpit.domain.containers import ContainerDetail, Lifecycle
from cockpit.domain.errors import CockpitError, Conflict, OperationFailed, OutcomeUnknown, Unreachable
from cockpit.domain.events import Output, Waiting
from cockpit.domain.services import Health, Service, State
from cockpit.domain.settings import Timing
from cockpit.ports import Clock, ContainerEngine

LOOK = 0.5
"""Seconds between two looks."""
STABLE = 3.0
"""Seconds that a service without a health check has to run on, at most: the host's own `stable` may be less."""
LOST = 10.0
"""Seconds that a silent engine is asked what became of it."""
SLACK = 10.0


class Follow:
    def __init__(self, engine: ContainerEngine, service: Service, run: Run, clock: Clock, timing: Timing) -> None:
        self._engine = engine
        self._service = service
        self._run = run
        self._clock = clock
        self._timing = timing

    @property
    def _target(self) -> str:
        return self._service.address

    async def apply(self, verb: Lifecycle) -> str:
        """Does it, and says how it went. OperationFailed, Conflict, OutcomeUnknown, Unreachable."""
        before = await self._engine.container(self._service.container)
        if before is None:
            raise Conflict(
                f"{self._target} was removed or made anew", "since the plan was made; nothing was changed", "try again"
            )
        if verb is Lifecycle.STOP and not _up(before):
            return f"had stopped already: {before.ended}"
        if verb is Lifecycle.START and before.running:
            return "was running already"
        lost: Unreachable | None = None
        try:
            await self._engine.change(self._service.container, verb, grace=before.grace)
        except Unreachable as error:
            lost = error  # it may have been done: the container tells
        if verb is Lifecycle.STOP:
            return await self._stopped(before, lost)
        return await self.settled(before, lost, restarted=verb is Lifecycle.RESTART)

    async def _look(self, lost: Unreachable | None) -> ContainerDetail:
        """As it is now; a silent engine is asked for a while."""
        until = self._clock.monotonic() + LOST
        while True:
            try:
                found = await self._engine.container(self._service.container)
            except Unreachable as error:
                if self._clock.monotonic() >= until:
                    raise OutcomeUnknown(
                        f"{self._target}: what became of it cannot be read", str(lost or error), "look before you try again"
                    ) from None
                await self._clock.sleep(LOOK)
                continue
            if found is None:
                raise Conflict(f"{self._target} is gone", "somebody removed it or made it anew meanwhile")
            return found

    async def _stopped(self, before: ContainerDetail, lost: Unreachable | None) -> str:
        until = self._clock.monotonic() + (before.grace + SLACK if lost is not None else SLACK)
        while _up(found := await self._look(lost)):
            if self._clock.monotonic() >= until:
                raise OperationFailed(f"{self._target} did not stop", str(lost) if lost else f"it is {found.state.value}")
            await self._clock.sleep(LOOK)
        return f"stopped: {found.ended}"

    async def settled(self, before: ContainerDetail | None, lost: Unreachable | None = None, *, restarted: bool = False) -> str:
        """Healthy, or running on without a health check, or ended well where it may end. `before` is how it was."""
        began = self._clock.monotonic()
        until = began + self._timing.wait
        found = await self._look(lost)
        grace = before.grace if before is not None else 0.0
        while lost is not None and before is not None and found.started == before.started:
            # an answer that was lost: the stop may still go on
            if self._clock.monotonic() >= began + grace + SLACK:
                raise OperationFailed(f"{self._target} was not {'restarted' if restarted else 'started'}", str(lost), "try again")
            await self._clock.sleep(LOOK)
            found = await self._look(lost)
        first, since = found, self._clock.monotonic()
        told = ""
        while True:
            self._refuse_dead(found, first)
            now = self._clock.monotonic()
            if found.state is State.EXITED:
                return "ran, and ended well"
            if found.health is Health.HEALTHY:
                return f"{'restarted' if restarted else 'running'}, healthy"
            if found.health is Health.NONE and found.running and now - since >= min(STABLE, self._timing.stable):
                return "restarted" if restarted else "running"
            if now >= until:
                what = "health check still starting" if found.health is Health.STARTING else found.state.value
                raise OperationFailed(f"{self._target} is not ready within {self._timing.wait:.0f}s", what, "l shows its log")
            waits = "its health check" if found.health is not Health.NONE else "a few seconds without an exit"
            if waits != told:
                told = waits
                self._run.emit(Waiting, host=self._target, step="watch", text=f"waits for {waits}", left=until - now)
            await self._clock.sleep(LOOK)
            found = await self._look(lost)

    def _refuse_dead(self, found: ContainerDetail, first: ContainerDetail) -> None:
        """Raises where it is clear that it does not run as it should."""
        well = found.state is State.EXITED and found.exit_code == 0 and found.once and not found.error
        again = found.restarts > first.restarts
        if found.health is Health.UNHEALTHY:
            last = found.probes[-1].output.strip().splitlines() if found.probes else []
            raise self._failed("is unhealthy", last[-1] if last else f"{found.failing} checks failed")
        if found.state in (State.EXITED, State.DEAD) and not well:
            raise self._failed("does not run", found.ended)
        if found.state is State.RESTARTING or again:
            raise self._failed("restarts again and again", found.ended)

    def _failed(self, what: str, why: str) -> CockpitError:
        self._run.emit(Output, host=self._target, step="watch", text=f"{what}: {why}")
        return OperationFailed(f"{self._target} {what}", why, "l shows its log")


def _up(container: ContainerDetail) -> bool:
    return container.state in (State.RUNNING, State.RESTARTING, State.PAUSED)
