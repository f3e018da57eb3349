"""What differs between two generations of a host."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.hosts import Generation
from cockpit.domain.plan import Change, PackageChange, SecretChange, ServiceChange
from cockpit.domain.repository import Commit
from cockpit.domain.services import COMPOSE_FILES, COMPOSE_LOCK
from cockpit.domain.settings import ProjectSettings, Settings
from cockpit.ports import Host, Repository

_SERVICE = re.compile(r"^  ([A-Za-z0-9][A-Za-z0-9_.-]*):\s*(?:#.*)?$")
_IMAGE = re.compile(r"^\s{4,}image:\s*[\"']?([^\s\"'#]+)")


class GenerationDiff(Struct, frozen=True):
    """What differs from `old` to `new`, both generations of one host."""

    host: str
    old: Generation
    new: Generation
    packages: tuple[PackageChange, ...] = ()
    services: tuple[ServiceChange, ...] = ()
    """Services whose image differs, and projects of which another file does (service is then empty)."""
    secrets: tuple[SecretChange, ...] = ()
    commits: tuple[Commit, ...] = ()
    """Commits of new that old does not have, newest first."""
    left_out: tuple[Commit, ...] = ()
    """Commits of old that new does not have."""
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""


async def difference(
    host: Host, repository: Repository, settings: Settings | None, old: Generation, new: Generation
) -> GenerationDiff:
    """Packages from the host; commits, images and secrets from the repository, with today's settings."""
    notes: list[str] = []
    packages: tuple[PackageChange, ...] = ()
    try:
        packages = await host.diff(old.closure.path, new.closure.path)
    except CockpitError as error:
        notes.append(f"packages: {error}")
    name = host.settings.name
    one, two = old.closure.commit, new.closure.commit
    if one is None or two is None:
        return GenerationDiff(name, old, new, packages, notes=(*notes, "commits: one of them names none"))
    if len(await repository.known([one, two])) < len({one, two}):
        return GenerationDiff(name, old, new, packages, notes=(*notes, "commits: one of them is not in this clone; git fetch"))
    projects = [settings.projects[p] for p in host.settings.projects if p in settings.projects] if settings is not None else []
    return GenerationDiff(
        name,
        old,
        new,
        packages,
        services=await _services(repository, projects, one, two),
        secrets=await _secrets(repository, projects, one, two),
        commits=await repository.log(two, exclude=[one]),
        left_out=await repository.log(one, exclude=[two]),
        notes=tuple(notes),
    )


async def _services(repository: Repository, projects: Iterable[ProjectSettings], old: str, new: str) -> tuple[ServiceChange, ...]:
    found: list[ServiceChange] = []
    for project in projects:
        before, after = await repository.tree_id(old, project.source), await repository.tree_id(new, project.source)
        if before == after:
            continue
        if before is None or after is None:
            change = Change.CREATE if before is None else Change.REMOVE
            found.append(ServiceChange(project.name, "", change, "new project" if before is None else "no longer in the release"))
            continue
        was, will = await _images(repository, old, project), await _images(repository, new, project)
        images = [
            ServiceChange(
                project.name,
                service,
                Change.CREATE if service not in was else Change.REMOVE if service not in will else Change.RECREATE,
                "image" if service in was and service in will else "",
                was.get(service),
                will.get(service),
            )
            for service in sorted(was.keys() | will.keys())
            if was.get(service) != will.get(service)
        ]
        found += images or [ServiceChange(project.name, "", Change.RECREATE, "what mounts its changed files")]
    return tuple(found)


async def _images(repository: Repository, commit: str, project: ProjectSettings) -> dict[str, str]:
    """service -> image, as the compose files of a commit write them in block style; the lock file's wins."""
    images: dict[str, str] = {}
    for name in (*COMPOSE_FILES, COMPOSE_LOCK):
        path = f"{project.source.rstrip('/')}/{name}"
        try:
            content = await repository.read(commit, path)
        except UsageError:
            continue
        service = ""
        inside = False
        for line in content.decode("utf-8", "replace").splitlines():
            if line and not line[0].isspace() and not line.startswith("#"):
                inside = line.startswith("services:")
            elif inside and (match := _SERVICE.match(line)):
                service = match.group(1)
            elif inside and service and (match := _IMAGE.match(line)):
                images[service] = match.group(1)
    return images


async def _secrets(repository: Repository, projects: Iterable[ProjectSettings], old: str, new: str) -> tuple[SecretChange, ...]:
    """By the file that holds them: which value in it changed cannot be seen without the key."""
    found = []
    for project in projects:
        for secret in project.secrets:
            before, after = await repository.tree_id(old, secret.file), await repository.tree_id(new, secret.file)
            if before != after:
                change = "new" if before is None else "removed" if after is None else "changed"
                found.append(SecretChange(project.name, secret.name, change))
    return tuple(found)
