"""What a watcher makes of a host's events, line by line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cockpit.actions.run import Run
from cockpit.actions.transaction import Watcher, settle
from cockpit.actions.world import World
from cockpit.adapters.sops.store import SopsStore
from cockpit.domain.errors import Exit, RevertFailed
from cockpit.domain.events import Failed, Progress, StepFinished
from cockpit.domain.hosts import Attempt, AttemptKind, Holder, Result
from cockpit.ports import HostEvent
from tests.unit.fakes import FakeHost, Homelab, homelab


class Scripted(FakeHost):
    """Tells a list of events, and a record."""

    script: list[tuple[str, str, dict[str, Any]]]
    record: dict[str, Any] | None = None

    async def watch(self, run: str, offset: int = 0) -> AsyncIterator[HostEvent]:
        for index, (event, phase, data) in enumerate(self.script[offset:], offset + 1):
            yield HostEvent(index, 0.0, event, phase, data=data)

    async def outcome(self, run: str) -> dict[str, Any] | None:
        return self.record


async def watched(lab: Homelab, script: list[tuple[str, str, dict[str, Any]]], record: dict[str, Any] | None) -> tuple[Exit, Run]:
    host = Scripted(lab.alpha.settings, lab.clock)
    host.script, host.record = script, record
    run = lab.cockpit.runs.new()
    outcome = await Watcher(world(lab, host), host, run, run.id).watch()
    return outcome.exit, run


def world(lab: Homelab, host: FakeHost) -> World:
    cockpit = lab.cockpit
    secrets = SopsStore(cockpit.settings.root)
    return World(cockpit.settings, {"alpha": host}, lab.repository, lab.clock, lab.audit, cockpit.gate, "ada", "laptop", secrets)


async def test_a_record_closes_the_phase_that_was_open() -> None:
    done = {"result": "done", "exit": 0, "generation": 9}
    code, run = await watched(homelab(), [("start", "record", {}), ("closed", "", done)], done)
    assert code is Exit.DONE and [e.step for e in run.log if isinstance(e, StepFinished)] == ["record"]
    assert not [e for e in run.log if isinstance(e, Failed)]


async def test_a_revert_that_went_well_is_no_second_failure() -> None:
    record = {"result": "reverted", "exit": 5, "phase": "verify", "reason": "web is unhealthy"}
    script = [("start", "verify", {}), ("start", "revert", {}), ("closed", "", record)]
    code, run = await watched(homelab(), script, record)
    assert code is Exit.REVERTED and [e.step for e in run.log if isinstance(e, Failed)] == ["verify"]
    assert [e.step for e in run.log if isinstance(e, StepFinished)] == ["revert"]


async def test_superseded_by_somebodys_rebuild_is_nine() -> None:
    record = {"result": "superseded", "exit": 9, "reason": "a third system runs"}
    assert (await watched(homelab(), [("closed", "", record)], record))[0] is Exit.REFUSED


async def test_an_event_of_closing_is_not_believed_without_a_record() -> None:
    code, _ = await watched(homelab(), [("decided", "", {}), ("closed", "", {"result": "done", "exit": 0})], None)
    assert code is Exit.UNKNOWN


async def test_unknown_events_are_ignored_and_a_decision_is_told() -> None:
    done = {"result": "done"}
    _, run = await watched(homelab(), [("fireworks", "", {}), ("decided", "decide", {}), ("closed", "", done)], done)
    assert [e.step for e in run.log if isinstance(e, Progress)] == ["decide"]


def _open(run: str) -> Attempt:
    return Attempt(
        seq=7, run=run, host="alpha", kind=AttemptKind.DEPLOY, who="ada", origin="laptop", started=0.0, commit=None, subject=None,
        old_closure="/nix/store/old", old_generation=141, old_commit=None, new_closure="/nix/store/new", new_generation=None,
        result=Result.OPEN,
    )  # fmt: skip


async def test_a_recovery_that_never_ends_is_told() -> None:
    lab = homelab()

    class Stuck(FakeHost):
        async def recover(self) -> None:
            self.holder = Holder("abcd1234", "cockpit", "recovery on this host", self.clock.now(), "recovery")

    host = Stuck(lab.alpha.settings, lab.clock)
    host.attempts.append(_open("abcd1234"))
    with pytest.raises(RevertFailed, match="cannot be closed"):
        await settle(world(lab, host), host, "abcd1234", lab.cockpit.runs.new())
    assert lab.clock.monotonic() >= 90


async def test_a_recovery_that_failed_is_told_at_once() -> None:
    lab = homelab()

    class Vain(FakeHost):
        async def recover(self) -> None:
            pass

    host = Vain(lab.alpha.settings, lab.clock)
    host.attempts.append(_open("abcd1234"))
    with pytest.raises(RevertFailed, match="cannot be closed") as told:
        await settle(world(lab, host), host, "abcd1234", lab.cockpit.runs.new())
    assert "goes over it" in told.value.hint
    assert lab.clock.monotonic() < 5
