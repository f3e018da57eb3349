"""The gate, the outcome and the record of operations."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.actions.operations import Operations, unasked
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.domain.errors import Exit, OperationFailed
from cockpit.domain.events import Outcome
from cockpit.domain.operation import Operation, Step
from cockpit.domain.plan import Tier
from tests.unit.fake_clock import FakeClock


class Log:
    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    def append(self, record: dict[str, Any]) -> None:
        self.written.append(record)

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        return self.written[-limit:]


class Bench:
    """Stops two services of which one cannot be stopped."""

    def __init__(self, *, headless: bool = False, tier: Tier = Tier.OUTAGE, protected: bool = False) -> None:
        self.log = Log()
        clock = FakeClock()
        self.gate = Gate(clock, headless=headless)
        self.run = Run("run1", clock)
        self.operations = Operations(clock, self.log, self.gate, "ada", "desk")
        steps = (Step("a/core/web", ("docker stop web",), protected), Step("a/core/db", ("docker stop db",), protected))
        self.operation = Operation("run1", "service.stop", "stop", "Stop core", tier, steps)
        self.touched: list[str] = []
        self.asked: list[Tier] = []
        self.answer = True

    async def plan(self) -> Operation:
        return self.operation

    async def apply(self, step: Step) -> str:
        self.touched.append(step.target)
        if step.target.endswith("db"):
            raise OperationFailed("it does not stop", "it ignores SIGTERM")
        return "stopped"

    async def ask(self, operation: Operation, tier: Tier) -> bool:
        self.asked.append(tier)
        return self.answer

    async def go(self) -> Outcome:
        return await self.operations.execute(self.run, self.plan, self.apply, self.ask)


async def test_one_target_fails_and_the_other_is_done() -> None:
    bench = Bench()
    outcome = await bench.go()
    assert [(h.host, h.exit, h.changed) for h in outcome.hosts] == [
        ("a/core/web", Exit.DONE, True),
        ("a/core/db", Exit.FAILED, False),
    ]
    assert outcome.exit is Exit.FAILED
    (record,) = bench.log.written
    assert record["commands"] == ["docker stop web", "docker stop db"]
    assert [t["exit"] for t in record["targets"]] == [0, 12]


async def test_a_no_changes_nothing_and_is_not_recorded() -> None:
    bench = Bench()
    bench.answer = False
    outcome = await bench.go()
    assert outcome.exit is Exit.REFUSED
    assert bench.touched == []
    assert bench.log.written == []


async def test_protection_raises_what_is_asked() -> None:
    bench = Bench(tier=Tier.OUTAGE, protected=True)
    await bench.go()
    assert bench.asked == [Tier.DATA_LOSS]


async def test_reading_asks_nobody() -> None:
    bench = Bench(tier=Tier.READ)
    await bench.go()
    assert bench.asked == []
    assert len(bench.touched) == 2


async def test_headless_refuses_a_protected_target_that_was_not_named() -> None:
    bench = Bench(headless=True, protected=True)
    outcome = await bench.operations.execute(bench.run, bench.plan, bench.apply, unasked)
    assert outcome.exit is Exit.REFUSED
    assert bench.touched == []
    assert outcome.hosts[0].hint == "--approve-host a"


async def test_an_approval_is_spent() -> None:
    bench = Bench()
    await bench.go()
    with pytest.raises(Exception, match="was not approved"):
        bench.gate.check(Tier.OUTAGE, "service.stop", "a", run="run1")


async def test_a_plan_that_cannot_be_made_is_the_outcome() -> None:
    bench = Bench()

    async def plan() -> Operation:
        raise OperationFailed("gone", "somebody removed it")

    outcome = await bench.operations.execute(bench.run, plan, bench.apply, bench.ask)
    assert (outcome.exit, outcome.hosts[0].text) == (Exit.FAILED, "gone")
    assert bench.asked == []
