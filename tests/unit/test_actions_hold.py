"""A rollback holds: what the next deploy may bring back, and what not."""

from __future__ import annotations

from msgspec.structs import replace

from cockpit.actions.run import Run, always, never
from cockpit.domain.errors import Exit
from cockpit.domain.events import Outcome
from cockpit.domain.hosts import Hold
from cockpit.domain.plan import Allow
from tests.unit.fakes import START, Homelab, homelab, sha


async def deploy(
    lab: Homelab,
    *hosts: str,
    run: Run | None = None,
    revision: str | None = None,
    yes: bool = True,
    allow: Allow | None = None,
    dry_run: bool = False,
) -> tuple[Outcome, Run]:
    run = run or lab.cockpit.runs.new(approve=always if yes else never)
    outcome = await lab.cockpit.deploy.execute(hosts or ("alpha",), revision, run=run, allow=allow or Allow(), dry_run=dry_run)
    return outcome, run


def held(lab: Homelab) -> None:
    """alpha ran b, went back to a."""
    lab.alpha.running = lab.alpha.profile = lab.alpha.boot_default = lab.alpha.closure(sha("a")).path
    lab.alpha.hold = Hold("00000001", (sha("b"),), "ada", START, 140)


async def test_a_held_host_refuses_what_contains_the_abandoned_commit() -> None:
    lab = homelab()
    held(lab)
    outcome, _ = await deploy(lab)
    assert outcome.exit is Exit.REFUSED and "held" in outcome.hosts[0].text
    outcome, _ = await deploy(lab, allow=Allow(resume=True))
    assert outcome.exit is Exit.DONE and lab.alpha.hold is None and lab.alpha.requests[0]["lifts"] is True


async def test_a_revert_in_the_history_opens_a_held_host() -> None:
    lab = homelab()
    held(lab)
    lab.repository.commit("d", "c", body=f"This reverts commit {sha('b')}.")
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_every_abandoned_commit_has_to_be_reverted() -> None:
    lab = homelab()
    held(lab)
    assert lab.alpha.hold is not None
    lab.alpha.hold = replace(lab.alpha.hold, abandoned=(sha("b"), sha("c")))
    lab.repository.commit("d", "c", body=f"This reverts commit {sha('b')}.")
    assert (await deploy(lab))[0].exit is Exit.REFUSED
    lab.repository.commit("e", "d", body=f"This reverts commit {sha('c')}.")
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_equal_trees_open_a_held_host() -> None:
    lab = homelab()
    held(lab)
    lab.repository.commit("d", "c", same_tree="a")
    assert (await deploy(lab))[0].exit is Exit.DONE


async def test_the_commit_of_a_held_host_itself_is_nothing_to_do() -> None:
    lab = homelab()
    held(lab)
    outcome, _ = await deploy(lab, revision=sha("a"))
    assert outcome.exit is Exit.DONE and lab.alpha.requests == [] and lab.alpha.hold is not None


async def test_resume_with_the_same_commit_still_lifts_the_hold() -> None:
    lab = homelab()
    held(lab)
    lab.alpha.forbidden = {"receive", "build"}
    outcome, _ = await deploy(lab, revision=sha("a"), allow=Allow(resume=True))
    assert outcome.exit is Exit.DONE and lab.alpha.requests[0]["lifts"] is True and lab.alpha.hold is None
