"""Who is told when a run ends."""

from __future__ import annotations

import asyncio

from cockpit.actions.bundle import Runs
from cockpit.actions.run import Run
from cockpit.adapters.clock import SystemClock
from cockpit.domain.errors import Exit
from cockpit.domain.events import HostOutcome, Outcome


async def test_the_end_of_a_run_is_told_with_what_it_came_to() -> None:
    runs, told = Runs(SystemClock()), list[Outcome]()
    runs.ended.append(told.append)

    async def work(run: Run) -> Outcome:
        assert not told
        outcome = Outcome(run.id, Exit.DONE, (HostOutcome("alpha", Exit.DONE, "done"),))
        run.finish(outcome, "done")
        return outcome

    run = runs.start(work)
    await run.wait()
    await asyncio.sleep(0)
    await runs.close()
    assert [outcome.run for outcome in told] == [run.id]


async def test_a_run_that_breaks_tells_nothing_of_hosts() -> None:
    runs, told = Runs(SystemClock()), list[Outcome]()
    runs.ended.append(told.append)
    runs.on_defect = lambda error: "reported"

    async def work(run: Run) -> Outcome:
        raise ValueError

    run = runs.start(work)
    assert (await run.wait()).exit is Exit.DEFECT
    await asyncio.sleep(0)
    await runs.close()
    assert [outcome.hosts for outcome in told] == [()]
