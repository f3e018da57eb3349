"""What differs between two generations of a host."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from cockpit.domain import comparing
from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import Generation
from cockpit.domain.plan import PackageChange, SecretChange, ServiceChange
from cockpit.domain.repository import Commit
from cockpit.ports import Host, Repository


class GenerationDiff(Struct, frozen=True):
    """What differs from `old` to `new`, both generations of one host."""

    host: str
    old: Generation
    new: Generation
    packages: tuple[PackageChange, ...] = ()
    services: tuple[ServiceChange, ...] = ()
    secrets: tuple[SecretChange, ...] = ()
    commits: tuple[Commit, ...] = ()
    """Commits of new that old does not have, newest first."""
    left_out: tuple[Commit, ...] = ()
    """Commits of old that new does not have."""
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""
    compared: bool = True
    """Whether services and secrets could be."""


async def difference(host: Host, repository: Repository, old: Generation, new: Generation) -> GenerationDiff:
    """Packages, services and secrets by what both consist of on the host; commits from the repository."""
    notes: list[str] = []
    diff = GenerationDiff(host.settings.name, old, new, compared=False)
    try:
        was, now = await host.contents(old.closure.path), await host.contents(new.closure.path)
    except CockpitError as error:
        notes.append(f"what they consist of: {error}")
    else:
        diff = replace(diff, packages=comparing.packages(was, now))
        bare = [f"generation {g.number}" for g, c in ((old, was), (new, now)) if not c.has_cockpit]
        if bare:
            notes.append(f"services and secrets: {' and '.join(bare)} knows nothing of them")
        else:
            diff = replace(diff, compared=True, services=comparing.services(was, now), secrets=comparing.secrets(was, now))
    one, two = old.closure.commit, new.closure.commit
    if one is None or two is None:
        notes.append("commits: one of them names none")
    elif len(await repository.known([one, two])) < len({one, two}):
        notes.append("commits: one of them is not in this clone; git fetch")
    else:
        commits, left_out = await repository.log(two, exclude=[one]), await repository.log(one, exclude=[two])
        diff = replace(diff, commits=commits, left_out=left_out)
    return replace(diff, notes=tuple(notes))
