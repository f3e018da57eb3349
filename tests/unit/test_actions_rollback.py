"""Rollback, resume, attach: going back, letting go, coming back to watch."""

from __future__ import annotations

import asyncio

import pytest

from cockpit.actions.run import Run, always
from cockpit.domain.errors import Exit
from cockpit.domain.events import Outcome
from cockpit.domain.hosts import Hold, Verdict
from tests.unit.fakes import START, Homelab, homelab, sha, until


async def back(lab: Homelab, to: int | str | None = None, dry_run: bool = False) -> tuple[Outcome, Run]:
    run = lab.cockpit.runs.new(approve=always)
    return await lab.cockpit.rollback.execute("alpha", to, run, dry_run=dry_run), run


@pytest.mark.parametrize("to", [None, "good", 140, "140", sha("a"), "aaaaaaa"])
async def test_a_rollback_and_its_hold(to: int | str | None) -> None:
    lab = homelab()
    outcome, run = await back(lab, to)
    assert outcome.exit is Exit.DONE and outcome.hosts[0].generation == 140
    (request,) = lab.alpha.requests
    assert (request["kind"], request["generation"], request["hold"]["abandoned"]) == ("rollback", 140, [sha("b")])
    assert run.plan is not None and run.plan.hosts[0].leaves_out == ((sha("b"), "Add the proxy"),)
    assert any("does not bring data back" in w for w in run.plan.hosts[0].warnings)


async def test_after_a_rollback_the_next_push_is_refused_until_it_is_reverted() -> None:
    lab = homelab()
    await back(lab)
    run = lab.cockpit.runs.new(approve=always)
    assert (await lab.cockpit.deploy.execute(["alpha"], run=run)).exit is Exit.REFUSED
    lab.repository.commit("d", "c", body=f"This reverts commit {sha('b')}.")
    run = lab.cockpit.runs.new(approve=always)
    assert (await lab.cockpit.deploy.execute(["alpha"], run=run)).exit is Exit.DONE
    assert lab.alpha.hold is None


async def test_the_previous_good_one_is_preferred_to_the_previous_one() -> None:
    lab = homelab()
    lab.alpha.add_generation(142, sha("c"), Verdict.UNHEALTHY)
    lab.alpha.add_generation(143, sha("d"))
    lab.repository.commit("d", "c")
    _, run = await back(lab, dry_run=True)
    assert run.plan is not None and run.plan.hosts[0].new_generation == 141
    assert run.plan.hosts[0].abandons == (sha("d"), sha("c"))


async def test_without_a_good_one_the_previous_is_taken_with_a_warning() -> None:
    lab = homelab()
    lab.alpha.generations.clear()
    lab.alpha.add_generation(140, sha("a"), Verdict.UNKNOWN)
    lab.alpha.add_generation(141, sha("b"))
    assert (await back(lab, "good"))[0].exit is Exit.REFUSED
    outcome, run = await back(lab)
    assert outcome.exit is Exit.DONE and run.plan is not None
    assert any("not known to be good" in w for w in run.plan.hosts[0].warnings)


async def test_a_second_rollback_keeps_what_the_first_abandoned() -> None:
    lab = homelab()
    lab.alpha.hold = Hold("00000001", (sha("c"),), "ada", START, 141)
    await back(lab, 140)
    assert lab.alpha.requests[0]["hold"]["abandoned"] == [sha("b"), sha("c")]


async def test_what_the_target_contains_is_not_abandoned() -> None:
    lab = homelab()
    lab.alpha.add_generation(142, sha("a"))
    _, run = await back(lab, 141, dry_run=True)
    assert run.plan is not None and run.plan.hosts[0].abandons == ()


async def test_the_same_closure_is_nothing_to_do() -> None:
    lab = homelab()
    outcome, _ = await back(lab, 141)
    assert outcome.exit is Exit.DONE and not outcome.hosts[0].changed and lab.alpha.requests == []


async def test_no_such_generation() -> None:
    assert (await back(homelab(), 7))[0].exit is Exit.USAGE


async def test_a_rollback_that_fails_is_reverted_and_leaves_no_hold() -> None:
    lab = homelab()
    lab.alpha.trouble.fail_in = "converge"
    assert (await back(lab))[0].exit is Exit.REVERTED and lab.alpha.hold is None


async def test_resume_lifts_the_hold_and_deploys_nothing() -> None:
    lab = homelab()
    await back(lab)
    running = lab.alpha.running
    lab.alpha.forbidden = {"build", "receive"}
    run = lab.cockpit.runs.new(approve=always)
    outcome = await lab.cockpit.resume.execute("alpha", run)
    assert outcome.exit is Exit.DONE and lab.alpha.hold is None and lab.alpha.running == running
    assert lab.alpha.requests[-1]["kind"] == "resume" and lab.alpha.requests[-1]["lifts"] is True


async def test_resume_of_what_is_not_held_is_refused() -> None:
    lab = homelab()
    assert (await lab.cockpit.resume.execute("alpha", lab.cockpit.runs.new(approve=always))).exit is Exit.REFUSED


async def attach(lab: Homelab, prefix: str) -> tuple[Outcome, Run]:
    run = lab.cockpit.runs.new()
    return await lab.cockpit.attach.execute(prefix, run), run


async def test_attach_tells_a_closed_record() -> None:
    lab = homelab()
    deploy = lab.cockpit.runs.new(approve=always)
    await lab.cockpit.deploy.execute(["alpha"], run=deploy)
    watched = lab.alpha.calls.count("watch")
    outcome, run = await attach(lab, deploy.id[:7])
    assert lab.alpha.calls.count("watch") == watched
    assert (outcome.exit, outcome.run, run.id) == (Exit.DONE, deploy.id, deploy.id)
    assert outcome.hosts[0].commit == sha("c") and outcome.hosts[0].previous == sha("b")


async def test_attach_watches_a_running_one_to_its_end_and_may_prove_it() -> None:
    lab = homelab()
    lab.alpha.trouble.drop_after = [1]
    run = lab.cockpit.runs.start(lambda run: lab.cockpit.deploy.execute(["alpha"], run=run), approve=always)
    await until(lambda: "watch" in lab.alpha.calls)
    lab.cockpit.runs.cancel(run)
    assert (await run.wait()).exit is Exit.UNKNOWN
    outcome, _ = await attach(lab, run.id)
    assert outcome.exit is Exit.DONE and lab.alpha.proofs == {"reach", "confirm"}


async def test_attach_starts_recovery_where_nobody_is_at_work() -> None:
    lab = homelab()
    lab.alpha.trouble.hang = True
    run = lab.cockpit.runs.start(lambda run: lab.cockpit.deploy.execute(["alpha"], run=run), approve=always)
    await until(lambda: "watch" in lab.alpha.calls)
    lab.cockpit.runs.cancel(run)
    await run.wait()
    await lab.alpha.close()
    lab.alpha.holder = None
    outcome, _ = await attach(lab, run.id)
    assert outcome.exit is Exit.REVERTED and "recover" in lab.alpha.calls


async def test_attach_to_what_never_reached_a_host_tells_what_the_audit_log_knows() -> None:
    lab = homelab()
    lab.repository.modified = ("x",)
    run = lab.cockpit.runs.new(approve=always)
    await lab.cockpit.deploy.execute(["alpha"], run=run)
    outcome, attached = await attach(lab, run.id)
    assert outcome.exit is Exit.REFUSED and "ended before it reached a host" in attached.log[-2].why  # type: ignore[attr-defined]
    assert (await attach(lab, "not-an-id"))[0].exit is Exit.USAGE


async def test_attach_asks_on_where_one_host_is_silent() -> None:
    lab = homelab()
    lab.beta.trouble.unreachable = True
    assert (await attach(lab, "0000"))[0].exit is Exit.UNREACHABLE
    deploy = lab.cockpit.runs.new(approve=always)
    await lab.cockpit.deploy.execute(["alpha"], run=deploy)
    assert (await attach(lab, deploy.id))[0].exit is Exit.DONE


async def test_runs_are_found_by_their_prefix() -> None:
    lab = homelab()
    one = lab.cockpit.runs.new()
    assert lab.cockpit.runs.get(one.id) is one and lab.cockpit.runs.list() == (one,)
    await asyncio.sleep(0)
