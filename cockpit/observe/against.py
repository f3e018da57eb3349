"""What a host runs, against the main branch."""

from __future__ import annotations

from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import HostFacts
from cockpit.domain.repository import Commit
from cockpit.ports import Repository

MAIN = ("main", "master", "HEAD")


async def main_commit(repository: Repository) -> Commit | None:
    for name in MAIN:
        try:
            return await repository.resolve(name)
        except CockpitError:
            continue
    return None


async def against(repository: Repository, facts: HostFacts, main: Commit | None) -> str:
    """`in step`, `2 behind main`, `held, 2 behind main`, `1 ahead of main`, `not on main` ..."""
    held = "held, " if facts.hold is not None else ""
    return held + await _distance(repository, facts.running.commit, main)


async def _distance(repository: Repository, running: str | None, main: Commit | None) -> str:
    if running is None:
        return "no commit"
    if main is None:
        return "no main branch"
    if running == main.sha:
        return "in step"
    if not await repository.known([running]):
        return "a commit that is not here"
    if await repository.is_ancestor(running, main.sha):
        return f"{len(await repository.log(main.sha, exclude=[running]))} behind main"
    if await repository.is_ancestor(main.sha, running):
        return f"{len(await repository.log(running, exclude=[main.sha]))} ahead of main"
    return "not on main"
