"""The controller's part of a transaction: start it, prove that the host can be reached, watch, tell the outcome.

The host's supervisor decides alone; the controller only watches, and may leave and come back at any time.
An outcome is told only from the closed record on the host's disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cockpit.actions import rules
from cockpit.actions.run import Run
from cockpit.actions.world import World, failed, skipped, uncancel
from cockpit.domain.errors import CockpitError, Exit, Locked, OutcomeUnknown, Refused, Reverted, RevertFailed, Unreachable, worst
from cockpit.domain.events import (
    REVERT,
    Detached,
    Failed,
    Finished,
    HostOutcome,
    Outcome,
    Output,
    Progress,
    StepFinished,
    StepStarted,
    Waiting,
    Warned,
)
from cockpit.domain.plan import HostPlan, Plan
from cockpit.ports import Host, HostEvent

MARGIN = 60.0
"""Seconds beyond the host's own deadline that a lost connection is tried again for."""
RETRY_FIRST = 0.5
RETRY_MOST = 10.0
PROOF_EVERY = 1.0
RESCUE = "/var/lib/cockpit/RESCUE.txt"
HINTS = {
    "activate": "on the host: journalctl -u nixos-rebuild-switch-to-configuration; mend the commit and deploy again",
    "reach": "the new system cannot be reached: look at what it changes in network, firewall, VPN and sshd",
    "converge": "look at the service's logs (cockpit, 4, l), mend the commit and deploy again",
    "verify": "look at the service's logs (cockpit, 4, l), or at timing: and health: in cockpit.yaml",
    "confirm": "the controller could not come back in time: is revert_after long enough?",
    "profile": "on the host: df -h /nix; nix-env -p /nix/var/nix/profiles/system --list-generations",
    "boot": "on the host: df -h /boot; its boot loader could not be written",
}
"""What helps next, by the phase that failed."""


async def apply(world: World, plan: Plan, requests: Mapping[str, dict[str, Any]], run: Run) -> Outcome:
    """The transactions of a plan, on several hosts at once. A failure keeps other hosts from starting, and ends none.

    Cancelled before any has begun it raises; afterwards it answers: what was begun is Detached."""
    outcomes: dict[str, HostOutcome] = {}
    todo = [host for host in plan.hosts if host.host in requests]
    for host in todo:
        world.check(plan, host)
    fault: list[str] = []

    async def one(name: str) -> None:
        host = next(h for h in todo if h.host == name)
        if fault:
            outcomes[name] = skipped(run, name, fault[0])
            return
        outcomes[name] = await transact(world, host, requests[name], run)
        if outcomes[name].exit is not Exit.DONE:
            fault.append(name)

    try:
        await world.each([host.host for host in todo], one)
    except asyncio.CancelledError:
        if not run.committed:
            raise
        uncancel()
    for host in plan.hosts:
        if host.nothing_to_do:
            outcomes.setdefault(host.host, HostOutcome(host.host, Exit.DONE, "nothing to do", commit=host.commit))
        else:
            outcomes.setdefault(host.host, HostOutcome(host.host, Exit.REFUSED, "not started", "nothing changed here"))
    ordered = tuple(outcomes[host.host] for host in plan.hosts)
    return Outcome(run.id, worst([o.exit for o in ordered]), ordered)


async def transact(world: World, plan: HostPlan, request: dict[str, Any], run: Run) -> HostOutcome:
    """One host's transaction from the lock to the closed record. Raises CancelledError only while nothing has begun."""
    host = world.host(plan.host)
    watcher = Watcher(world, host, run, run.id, commit=plan.commit, previous=plan.old.commit)
    run.committed = True
    try:
        try:
            await host.run(request)
        except Unreachable as error:
            if not await watcher.begun(error):
                raise
        outcome = await watcher.watch()
    except CockpitError as error:
        run.fail(error, host=plan.host)
        outcome = failed(plan.host, error)
    except asyncio.CancelledError:
        outcome = watcher.detached("the controller left")
    run.emit(
        Finished,
        host=plan.host,
        exit=outcome.exit,
        text=outcome.text,
        generation=outcome.generation,
        changed=outcome.changed,
        previous=outcome.previous,
    )
    return outcome


class Watcher:
    """Follows one run on one host until its record is closed."""

    def __init__(
        self,
        world: World,
        host: Host,
        run: Run,
        run_id: str,
        *,
        commit: str | None = None,
        previous: str | None = None,
    ) -> None:
        self._clock = world.clock
        self._host = host
        self._name = host.settings.name
        self._run = run
        self._id = run_id
        self._commit = commit
        self._previous = previous
        self._offset = 0
        self._phase: str | None = None
        self._began = 0.0
        self._proof: asyncio.Task[None] | None = None
        self._rescue: dict[str, Any] | None = None
        self._told_phase = False
        self._started = self._clock.monotonic()
        self._give_up = self._started + host.settings.timing.revert_after + host.settings.timing.wait + MARGIN

    async def begun(self, error: Unreachable) -> bool:
        """Whether a transaction began although its start was not acknowledged."""
        self._run.emit(Warned, host=self._name, text=f"connection lost while starting: {error.what}; asking again")
        delay = RETRY_FIRST
        asked = 0
        while self._clock.monotonic() < self._give_up:
            try:
                await self._host.outcome(self._id)
            except Unreachable:
                await self._clock.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)
            except Refused:
                asked += 1
                if asked > 2:
                    return False
                await self._clock.sleep(PROOF_EVERY)
            else:
                return True
        raise OutcomeUnknown("outcome unknown", "the connection was lost while the transaction was being started", self._hint)

    async def watch(self) -> HostOutcome:
        """Until the record is closed, or the host stays silent beyond every deadline (OutcomeUnknown's exit)."""
        delay = RETRY_FIRST
        lost = False
        try:
            while True:
                before = self._offset
                try:
                    async for event in self._host.watch(self._id, self._offset):
                        if lost:
                            self._run.emit(Progress, host=self._name, step=self._phase or "", text="connected again")
                            lost = False
                        self._handle(event)
                except Unreachable:
                    pass  # whether the host or only its log is gone, the question for the record tells
                try:
                    record = await self._host.outcome(self._id)
                except Unreachable as error:
                    if not lost:
                        lost = True
                        text = f"connection lost ({error.what}); the host goes on by itself, trying again"
                        self._run.emit(Warned, host=self._name, step=self._phase or "", text=text)
                else:
                    if record is not None:
                        return self.told(record)
                    if self._rescue is not None:
                        return self._rescued(self._rescue)
                if self._offset > before:
                    delay = RETRY_FIRST
                if self._clock.monotonic() >= self._give_up:
                    return self.detached("the host has been silent beyond its deadline")
                await self._clock.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)
        finally:
            await self._end_proof()

    def detached(self, why: str) -> HostOutcome:
        text = f"outcome unknown: {why}; the host finishes or goes back by itself"
        self._run.emit(Detached, host=self._name, step=self._phase or "", text=f"{text}; {self._hint}")
        return HostOutcome(self._name, Exit.UNKNOWN, "outcome unknown", why, self._hint, changed=True, seconds=self._seconds)

    @property
    def _hint(self) -> str:
        return f"cockpit attach {self._id}"

    @property
    def _seconds(self) -> float:
        return self._clock.monotonic() - self._started

    def _handle(self, event: HostEvent) -> None:
        self._offset = event.offset
        self._give_up = max(self._give_up, self._clock.monotonic() + (event.left or 0.0) + MARGIN)
        run, name = self._run, self._name
        match event.event:
            case "start":
                self._begin(event)
            case "progress":
                run.emit(Progress, host=name, step=event.phase, text=event.text, done=event.done)
            case "wait":
                run.emit(Waiting, host=name, step=event.phase, text=event.text, left=event.left)
            case "output":
                run.emit(Output, host=name, step=event.phase, text=event.text)
            case "warn":
                run.emit(Warned, host=name, step=event.phase, text=event.text)
            case "end":
                self._phase = None
                self._cancel_proof()
                run.emit(StepFinished, host=name, step=event.phase, text=event.text, seconds=event.seconds or 0.0)
            case "decided":
                self._cancel_proof()
                run.emit(Progress, host=name, step=event.phase or "decide", text=event.text)
            case "closed":
                self._cancel_proof()
                if event.data.get("exit") == Exit.REVERT_FAILED or event.data.get("result") == "revert-failed":
                    self._rescue = event.data
                self._closed(event)
            case _:
                pass

    def _begin(self, event: HostEvent) -> None:
        self._cancel_proof()
        if event.phase == REVERT:
            self._end_phase(event.text)
        self._phase = event.phase
        self._began = self._clock.monotonic()
        self._run.emit(StepStarted, host=self._name, step=event.phase, text=event.text, deadline=event.left)
        if event.phase in ("reach", "confirm"):
            self._proof = asyncio.create_task(self._prove(event.phase), name=f"{event.phase} {self._name}")

    def _closed(self, event: HostEvent) -> None:
        """The record closes the last phase too, whichever way it went."""
        result = event.data.get("result")
        if self._phase is not None and (result == "done" or (result == "reverted" and self._phase == REVERT)):
            self._run.emit(StepFinished, host=self._name, step=self._phase, seconds=self._clock.monotonic() - self._began)
            self._phase = None
        elif result in ("reverted", "revert-failed"):
            self._end_phase(str(event.data.get("reason") or ""))
        self._phase = None

    def _end_phase(self, why: str) -> None:
        """A phase that did not end well has no `end` of its own."""
        if self._phase is None:
            return
        phase, self._phase = self._phase, None
        if phase == REVERT:
            return
        self._told_phase = True
        what = f"{phase} failed; the host goes back to the old release"
        self._run.emit(Failed, host=self._name, step=phase, exit=Exit.REVERTED, what=what, why=why, hint=HINTS.get(phase, ""))

    async def _prove(self, proof: str) -> None:
        """Tries until the phase ends: by a new connection each time. The host decides whether it came in time."""
        told = False
        while True:
            try:
                await self._host.confirm(self._id, proof)
                return
            except Reverted:
                return
            except CockpitError as error:
                if not told and not isinstance(error, Refused):
                    told = True
                    self._run.emit(Waiting, host=self._name, step=proof, text=f"a new connection: {error.what}")
            await self._clock.sleep(PROOF_EVERY)

    def _cancel_proof(self) -> None:
        if self._proof is not None:
            self._proof.cancel()

    async def _end_proof(self) -> None:
        if self._proof is not None:
            self._proof.cancel()
            await asyncio.gather(self._proof, return_exceptions=True)

    def told(self, record: Mapping[str, Any]) -> HostOutcome:
        """What a closed record means."""
        result = str(record.get("result", ""))
        phase = str(record.get("phase") or "")
        reason = str(record.get("reason") or "")
        hint = str(record.get("hint") or "")
        if result == "done":
            return HostOutcome(
                self._name,
                Exit.DONE,
                "done",
                generation=record.get("generation"),
                commit=self._commit,
                previous=self._previous,
                changed=True,
                seconds=self._seconds,
            )
        error: CockpitError
        if result == "reverted":
            error = _reverted(record, phase, reason, hint or HINTS.get(phase, ""))
        elif result == "superseded":
            error = Refused("superseded", reason or "somebody's nixos-rebuild took over; what it activated runs", hint)
        else:
            return self._rescued(record)
        if not self._told_phase:
            self._run.fail(error, host=self._name, step=phase)
        return self._outcome(error, record)

    def _rescued(self, record: Mapping[str, Any]) -> HostOutcome:
        hint = str(record.get("hint") or f"{RESCUE} on {self._name} says what to do by hand; the host keeps trying")
        error = RevertFailed("neither release could be made whole", str(record.get("reason") or ""), hint)
        self._run.fail(error, host=self._name, step=REVERT)
        return self._outcome(error, record)

    def _outcome(self, error: CockpitError, record: Mapping[str, Any]) -> HostOutcome:
        return HostOutcome(
            self._name,
            error.exit,
            error.what,
            error.why,
            error.hint,
            generation=record.get("generation"),
            previous=self._previous,
            changed=error.exit is Exit.REVERT_FAILED,
            seconds=self._seconds,
        )


def _reverted(record: Mapping[str, Any], phase: str, reason: str, hint: str) -> CockpitError:
    """The host may say that nothing had changed yet (refused), or that another activation was in the way (locked)."""
    match record.get("exit"):
        case Exit.REFUSED:
            return Refused(f"{phase or 'transaction'} was refused by the new system; nothing changed", reason, hint)
        case Exit.LOCKED:
            return Locked(f"{phase or 'transaction'} met somebody else's; the old release runs", reason, hint)
        case _:
            return Reverted(f"{phase or 'transaction'} failed; the old release runs", reason, hint)


async def settle(world: World, host: Host, run_id: str, run: Run) -> None:
    """An open attempt that nobody works on, or that is being recovered: waits for its record. RevertFailed where it gets none."""
    name = host.settings.name
    run.emit(Warned, host=name, text=f"run {run_id} was left open; the host is finishing or reverting it first")
    await host.recover()
    deadline = world.clock.monotonic() + host.settings.timing.revert_after + MARGIN
    delay = RETRY_FIRST
    while True:
        try:
            facts = await host.facts(deep=False)
            if rules.open_attempt(facts) != run_id:
                return
            if facts.holder is None:
                raise RevertFailed(
                    f"run {run_id} on {name} cannot be closed",
                    "neither of its releases can be made whole",
                    f"see {RESCUE} there; a deploy of a commit that mends it, or a rollback, goes over it",
                )
        except Unreachable:
            if world.clock.monotonic() >= deadline:
                raise
        if world.clock.monotonic() >= deadline:
            raise RevertFailed(
                f"run {run_id} on {name} cannot be closed",
                "its recovery does not end",
                f"see {RESCUE} there; cockpit attach {run_id}",
            )
        await world.clock.sleep(delay)
        delay = min(delay * 2, RETRY_MOST)
