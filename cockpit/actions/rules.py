"""Whether a commit may be deployed over what a host runs. Reads only."""

from __future__ import annotations

import re

from cockpit.actions.world import World
from cockpit.domain.errors import Refused
from cockpit.domain.hosts import Hold, HostFacts, Result
from cockpit.domain.repository import Commit
from cockpit.domain.settings import HostSettings

_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,40})")


def up_to_date(facts: HostFacts, commit: str) -> bool:
    """The host already is this commit in every way that one round trip can see."""
    return (
        runs_commit(facts, commit)
        and facts.profile == facts.running.path == facts.boot_default
        and not facts.stopped
        and facts.hold is None
        and facts.holder is None
        and open_attempt(facts) is None
    )


def runs_commit(facts: HostFacts, commit: str) -> bool:
    return facts.manifest is not None and facts.manifest.commit == commit


def open_attempt(facts: HostFacts) -> str | None:
    """Run id of the attempt that has no closed record."""
    return next((a.run for a in facts.attempts if a.result in (Result.OPEN, Result.REVERT_FAILED)), None)


def check_test_only(facts: HostFacts, from_test: bool) -> None:
    """What runs must be what the profile names: else somebody is trying something out."""
    if from_test or facts.profile is None or facts.profile == facts.running.path:
        return
    raise Refused(
        f"{facts.name} runs a system that is not its profile's",
        "a test, a staged boot entry, or a rebuild by hand; a deploy would end it",
        "--from-test deploys over it",
    )


async def check_rewind(world: World, facts: HostFacts, commit: Commit, *, allow_rewind: bool, from_test: bool) -> None:
    """The commit must contain what runs."""
    if allow_rewind:
        return
    running = facts.running.commit
    if running is None:
        if from_test:
            return
        raise Refused(
            f"what {facts.name} runs names no commit",
            "it was built from a tree with uncommitted changes, so nobody can say whether this commit contains it",
            "--from-test or --allow-rewind deploys over it",
        )
    if running == commit.sha or await world.repository.is_ancestor(running, commit.sha):
        return
    if not await world.repository.known([running]):
        raise Refused(
            f"{facts.name} runs {running[:7]}, which this clone does not know",
            f"so nobody can say whether {commit.short} contains it",
            "git fetch, then again; or --allow-rewind",
        )
    raise Refused(
        f"{commit.short} does not contain {running[:7]}, which {facts.name} runs",
        "deploying it would undo what was deployed",
        "merge or rebase onto what runs; `cockpit rollback` goes back on purpose; or --allow-rewind",
    )


async def check_hold(world: World, settings: HostSettings, facts: HostFacts, commit: Commit, *, resume: bool) -> Hold | None:
    """The hold in force, when the commit may be deployed under it. Refused where it would undo a rollback."""
    hold = facts.hold
    if hold is None or resume:
        return hold
    contained = [sha for sha in hold.abandoned if sha == commit.sha or await world.repository.is_ancestor(sha, commit.sha)]
    if not contained:
        return hold
    target = next((a.commit for a in facts.attempts if a.run == hold.run and a.commit), facts.running.commit)
    if target is not None:
        log = await world.repository.log(commit.sha, exclude=[target])
        reverted = {sha for entry in log for sha in _REVERTS.findall(entry.message)}
        if all(any(sha.startswith(r) for r in reverted) for sha in contained):
            return hold
        if await same_trees(world, settings, commit.sha, target):
            return hold
    raise Refused(
        f"{facts.name} is held: {commit.short} contains {', '.join(sha[:7] for sha in contained)}",
        f"{hold.by} rolled back from there" + (f" ({hold.why})" if hold.why else "") + "; this deploy would bring it back",
        f"git revert {contained[0][:7]}; or `cockpit resume --host {facts.name}`; or --resume",
    )


async def same_trees(world: World, settings: HostSettings, one: str, other: str) -> bool:
    """Whether both commits make the same release: settings, and the top folders of system, projects and secrets."""
    tops = {folder.split("/")[0] for folder in world.folders(settings)} | {"nix", "compose", "secrets", "cockpit.yaml"}
    for top in sorted(tops):
        if await world.repository.tree_id(one, top) != await world.repository.tree_id(other, top):
            return False
    return True
