"""The log of a run, the gate, the catalogue."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from cockpit.actions import catalog
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate, raised
from cockpit.domain.errors import Exit, Refused
from cockpit.domain.events import Failed, Outcome, Output, Progress, Warned
from cockpit.domain.hosts import Badge
from cockpit.domain.plan import Tier
from tests.unit.fakes import FakeClock, homelab


async def test_every_watcher_sees_everything_from_its_cursor() -> None:
    run = Run("k3x9q2ab", FakeClock())
    run.emit(Progress, host="alpha", text="one")

    async def read(cursor: int) -> list[int]:
        return [event.seq async for event in run.events(cursor)]

    early, late = asyncio.create_task(read(0)), asyncio.create_task(read(1))
    await asyncio.sleep(0)
    run.emit(Progress, host="alpha", text="two")
    await asyncio.sleep(0)
    run.finish(Outcome(run.id, Exit.DONE, ()))
    assert await early == [0, 1, 2] and await late == [1, 2] and await read(0) == [0, 1, 2]


async def test_output_is_dropped_oldest_first_and_counted_and_state_stays() -> None:
    run = Run("k3x9q2ab", FakeClock(), output_kept=10)
    run.emit(Warned, text="stays")
    for number in range(25):
        run.emit(Output, text=str(number))
    assert run.dropped == 15
    assert [getattr(e, "text", "") for e in run.log] == ["stays", *map(str, range(15, 25))]


def test_outside_text_is_made_harmless() -> None:
    run = Run("k3x9q2ab", FakeClock())
    assert run.emit(Output, text="\x1b]0;title\x07\x1b[31mred\x1b[2J").text == "\x1b[31mred"
    assert run.emit(Warned, text="\x1b[31mred\nnext").text == "red\nnext"


def test_only_the_first_outcome_counts() -> None:
    run = Run("k3x9q2ab", FakeClock())
    first = run.finish(Outcome(run.id, Exit.DONE, ()))
    assert run.finish(Outcome(run.id, Exit.DEFECT, ())) is first and len(run.log) == 1


def test_the_gate_is_read_only_until_it_is_armed_and_only_for_a_while() -> None:
    clock = FakeClock()
    gate = Gate(clock)
    gate.check(Tier.READ, "x", "alpha")
    with pytest.raises(Refused):
        gate.check(Tier.REVERSIBLE, "host.resume", "alpha")
    gate.arm()
    gate.check(Tier.REVERSIBLE, "host.resume", "alpha")
    with pytest.raises(Refused):
        gate.check(Tier.OUTAGE, "deploy", "alpha")
    assert gate.armed_until == clock.now() + 600
    clock.time += 600
    assert not gate.armed
    gate.arm(5)
    gate.disarm()
    assert not gate.armed


def test_once_is_once() -> None:
    gate = Gate(FakeClock())
    gate.allow_once("host.resume")
    gate.check(Tier.REVERSIBLE, "host.resume", "alpha")
    with pytest.raises(Refused):
        gate.check(Tier.REVERSIBLE, "host.resume", "alpha")


def test_a_protected_host_raises_the_tier() -> None:
    assert [raised(tier, True) for tier in Tier] == [Tier.READ, Tier.OUTAGE, Tier.DATA_LOSS, Tier.DATA_LOSS]
    gate = Gate(FakeClock())
    gate.arm()
    with pytest.raises(Refused):
        gate.check(Tier.REVERSIBLE, "host.resume", "alpha", protected=True)


def test_ids_are_unique_and_no_two_keys_clash_in_one_focus() -> None:
    assert len(catalog.BY_ID) == len(catalog.ACTIONS)
    for context in catalog.CONTEXTS:
        keys = [key for action in catalog.actions_for(context) for key in action.keys]
        assert len(keys) == len(set(keys)), context


def test_every_action_is_described() -> None:
    for action in catalog.ACTIONS:
        assert action.keys and action.label and action.title and action.verb and set(action.contexts) <= set(catalog.CONTEXTS)


async def test_reasons_why_not() -> None:
    lab = homelab()
    facts = await lab.alpha.facts()
    old, running = facts.generations[1], facts.generations[0]
    rollback, resume = catalog.BY_ID["host.rollback"], catalog.BY_ID["host.resume"]
    here = catalog.Context(catalog.GENERATIONS, "alpha", facts, old)
    assert catalog.possible(rollback, here) is None
    assert catalog.possible(rollback, replace(here, generation=running)) == "this generation is running"
    test_only = replace(running, number=None, badges=frozenset({Badge.TEST_ONLY}))
    assert "test" in str(catalog.possible(rollback, replace(here, generation=test_only)))
    assert catalog.possible(rollback, replace(here, focus=catalog.LOGS)) == "only in generations"
    assert "at work" in str(catalog.possible(rollback, replace(here, busy="k3x9q2ab")))
    assert catalog.possible(resume, here) == "nothing is held"
    assert catalog.possible(catalog.BY_ID["list.open"], replace(here, rows=0)) == "the list is empty"


async def test_a_defect_in_a_run_is_told_and_reported() -> None:
    lab = homelab()
    reported: list[Exception] = []

    def report(error: Exception) -> str:
        reported.append(error)
        return "the report is in x"

    async def broken(run: Run) -> Outcome:
        raise KeyError("x")

    lab.cockpit.runs.on_defect = report
    run = lab.cockpit.runs.start(broken)
    assert (await run.wait()).exit is Exit.DEFECT and len(reported) == 1


async def test_a_refusal_by_the_person_is_no_failure_and_not_recorded() -> None:
    lab = homelab(headless=False)
    run = lab.cockpit.runs.new()
    outcome = await lab.cockpit.deploy.execute(["alpha"], run=run)
    assert outcome.exit is Exit.REFUSED and not [e for e in run.log if isinstance(e, Failed)] and lab.audit.all == []
