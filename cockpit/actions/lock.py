"""Digests for the tags of compose files: compose.lock.yaml beside each, and newer tags where they are asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from cockpit.domain import images
from cockpit.domain.errors import CockpitError, Refused, Unreachable, UsageError
from cockpit.domain.images import ComposeService, Fit, Image, LockRow
from cockpit.domain.services import COMPOSE_FILES, COMPOSE_LOCK, COMPOSE_OVERRIDES
from cockpit.domain.settings import ProjectSettings
from cockpit.ports import WorkTree
from cockpit.ports.upkeep import ComposeFiles, Registry

MOST_BYTES = 1 << 20
AT_ONCE = 4
"""Questions to registries."""


class Found(Struct, frozen=True):
    """One project as it stands on the disk."""

    project: str
    files: tuple[tuple[str, bytes], ...]
    services: tuple[ComposeService, ...]
    lock_path: str
    lock: bytes | None
    locked: Mapping[str, str]


class Written(Struct, frozen=True):
    """What `write` came to: rows of every project, files that it changed, and what kept it from more."""

    rows: tuple[LockRow, ...]
    changed: tuple[str, ...] = ()
    errors: tuple[CockpitError, ...] = ()


class Answer(Struct, frozen=True):
    """What a registry says of an image as it is written."""

    tag: str
    digest: str
    notes: str


class Lock:
    def __init__(
        self, projects: Mapping[str, ProjectSettings], tree: WorkTree, files: ComposeFiles, registry: Registry, *, observes: bool
    ) -> None:
        self._projects = projects
        self._tree = tree
        self._files = files
        self._registry = registry
        self._observes = observes

    async def check(self, names: Sequence[str] = ()) -> tuple[LockRow, ...]:
        """Whether each lock fits its compose file. Asks no registry."""
        found = [await self._find(name) for name in self._wanted(names)]
        return tuple(row for one in found for row in self._rows(one, {}))

    async def write(self, names: Sequence[str] = (), *, upgrade: bool = False, majors: bool = False) -> Written:
        """One image that cannot be had costs only itself: what the lock has of it stays."""
        self.must_write()
        found = [await self._find(name) for name in self._wanted(names)]
        wanted = {image.tagged: image for one in found for image in _lockable(one).values()}
        told = await self._ask(wanted.values(), upgrade, majors)
        answers = {tagged: answer for tagged, answer in told.items() if isinstance(answer, Answer)}
        errors = _together([answer for answer in told.values() if isinstance(answer, CockpitError)])
        rows: list[LockRow] = []
        changed: list[str] = []
        for one in found:
            rows += self._rows(one, answers)
            try:
                changed += await self._save(one, answers)
            except CockpitError as error:
                errors.append(error)
        return Written(tuple(rows), tuple(changed), tuple(errors))

    def must_write(self) -> None:
        """Refused for whoever only observes."""
        if self._observes:
            raise Refused("your settings say `role: observe`", "a lock is a change of the repository")

    def _wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        for name in names:
            if name not in self._projects:
                raise UsageError(f"there is no project {name!r}", f"cockpit.yaml names {', '.join(self._projects) or 'none'}")
        return tuple(name for name in self._projects if not names or name in names)

    async def _find(self, name: str) -> Found:
        source = self._projects[name].source.removeprefix("./").rstrip("/")
        paths = [f"{source}/{file}" for file in (*COMPOSE_FILES, *COMPOSE_OVERRIDES, COMPOSE_LOCK)]
        there = await self._tree.read_many(paths, MOST_BYTES)
        base = next((path for path in paths[: len(COMPOSE_FILES)] if path in there), None)
        if base is None:
            raise UsageError(f"project {name}: {source} has no compose.yaml")
        override = [path for path in paths[len(COMPOSE_FILES) : -1] if path in there][:1]
        files = tuple((path, there[path]) for path in (base, *override))
        lock = there.get(paths[-1])
        locked = self._files.locked(paths[-1], lock) if lock is not None else {}
        return Found(name, files, self._files.services(files), paths[-1], lock, locked)

    def _rows(self, found: Found, answers: Mapping[str, Answer]) -> list[LockRow]:
        rows: list[LockRow] = []
        lockable = _lockable(found)
        grouped: dict[str, list[ComposeService]] = {}
        for service in found.services:
            if service.name in lockable:
                grouped.setdefault(lockable[service.name].tagged, []).append(service)
            elif service.name in found.locked:  # and compose would take that
                why = f"{_why(service)}, and the lock says {found.locked[service.name]}"
                rows.append(LockRow(found.project, (service.name,), service.image, Fit.STALE, why=why))
            else:
                rows.append(LockRow(found.project, (service.name,), service.image, Fit.OPEN, why=_why(service)))
        for tagged, services in grouped.items():
            image = lockable[services[0].name]
            fit, digest = min((_fit(image, found.locked.get(s.name)) for s in services), key=lambda f: _WORST.index(f[0]))
            answer = answers.get(tagged)
            fit = Fit.LOCKED if answer is not None else fit
            answer = answer or Answer(image.tag, digest, images.known_notes(image, image.tag))
            rows.append(
                LockRow(
                    found.project,
                    tuple(s.name for s in services),
                    image.name,
                    fit,
                    image.tag,
                    answer.tag,
                    digest,
                    answer.digest,
                    answer.notes,
                    any(s.stateful for s in services),
                )
            )
        known = {service.name for service in found.services}
        for name in sorted(found.locked.keys() - known):
            rows.append(
                LockRow(found.project, (name,), found.locked[name], Fit.STALE, why="the compose file has no such service")
            )
        return rows

    async def _ask(self, wanted: Iterable[Image], upgrade: bool, majors: bool) -> dict[str, Answer | CockpitError]:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(image: Image) -> tuple[str, Answer | CockpitError]:
            async with limit:
                try:
                    return image.tagged, await self._answer(image, upgrade, majors)
                except CockpitError as error:
                    return image.tagged, error

        return dict(await asyncio.gather(*(one(image) for image in wanted)))

    async def _answer(self, image: Image, upgrade: bool, majors: bool) -> Answer:
        tag = images.newest(image.tag, await self._registry.tags(image), majors=majors) if upgrade else image.tag
        new = Image(image.name, image.registry, image.repository, tag)
        digest = await self._registry.digest(new)
        notes = images.known_notes(new, tag)
        if not notes:
            try:
                notes = images.notes_from(await self._registry.source(new, digest))
            except CockpitError:
                notes = ""  # a link is not worth the lock
        return Answer(tag, digest, notes)

    async def _save(self, found: Found, answers: Mapping[str, Answer]) -> list[str]:
        """Paths that it wrote. First the tags, then the lock: a run that ends between leaves a lock that `--check` finds."""
        changed: list[str] = []
        lockable = _lockable(found)
        for path, data in found.files:
            edits = []
            for service in found.services:
                image = lockable.get(service.name)
                answer = answers.get(image.tagged) if image is not None else None
                if image is not None and answer is not None and service.path == path and answer.tag != image.tag:
                    edits.append((service, service.image, f"{image.name}:{answer.tag}"))
            if edits:
                await self._tree.write(path, self._files.with_images(path, data, edits), _digest(data))
                changed.append(path)
        images_of: list[tuple[str, str]] = []
        for name, image in lockable.items():
            if answer := answers.get(image.tagged):
                images_of.append((name, f"{image.name}:{answer.tag}@{answer.digest}"))
            elif _fit(image, found.locked.get(name))[0] is Fit.LOCKED:
                images_of.append((name, found.locked[name]))
        data = self._files.lock(images_of)
        # where nothing of it could be had it stays; where nothing is left to be locked it says so
        if data != found.lock and (images_of or (found.locked and not lockable)):
            await self._tree.write(found.lock_path, data, _digest(found.lock))
            changed.append(found.lock_path)
        return changed


_WORST = (Fit.MISSING, Fit.STALE, Fit.LOCKED)


def _together(errors: Sequence[CockpitError]) -> list[CockpitError]:
    """A registry that does not answer is one error, however many images it has."""
    away: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        if isinstance(error, Unreachable):
            away.setdefault((error.what, error.hint), []).append(error.why)
    others = [error for error in errors if not isinstance(error, Unreachable)]
    return [*(Unreachable(what, "\n".join(whys), hint) for (what, hint), whys in away.items()), *others]


def _digest(data: bytes | None) -> str:
    """As a work tree compares files; empty for one that is not there."""
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def _lockable(found: Found) -> dict[str, Image]:
    """Service -> image, of those whose image is a name and nothing else."""
    return {service.name: images.parse(service.image) for service in found.services if not _why(service)}


def _why(service: ComposeService) -> str:
    """Why it cannot be locked; empty where it can."""
    if not service.image:
        return "it has no image of its own"
    if service.built:
        return "its image is built"
    if "$" in service.image:
        return "a variable is in the name of its image"
    try:
        return "its digest stands in the compose file" if images.parse(service.image).digest else ""
    except UsageError as error:
        return error.what


def _fit(image: Image, locked: str | None) -> tuple[Fit, str]:
    """(how it stands in the lock, its digest there)."""
    if locked is None:
        return Fit.MISSING, ""
    try:
        found = images.parse(locked)
    except UsageError:
        return Fit.STALE, ""
    if not found.digest or found.key != image.key:
        return Fit.STALE, ""
    return (Fit.LOCKED if found.tagged == image.tagged else Fit.STALE), found.digest
