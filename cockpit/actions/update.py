"""What the weekly pull request runs: newer inputs, tags and digests, and what they change on each host. Commits nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cockpit.actions.lock import Lock
from cockpit.domain import comparing
from cockpit.domain.contents import Contents
from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.images import LockRow
from cockpit.domain.settings import HostSettings
from cockpit.domain.updates import InputChange, SystemChange, UpdateReport, input_changes
from cockpit.ports import Builder, Repository, WorkTree
from cockpit.ports.upkeep import Nix

MOST_BYTES = 16 << 20
Say = Callable[[str], None]


class Update:
    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        tree: WorkTree,
        repository: Repository,
        nix: Nix,
        builder: Builder,
        lock: Lock,
    ) -> None:
        self._hosts = hosts
        self._tree = tree
        self._repository = repository
        self._nix = nix
        self._builder = builder
        self._lock = lock

    async def execute(self, say: Say, *, flake: bool, images: bool, majors: bool = False, build: bool = False) -> UpdateReport:
        """One part that fails costs only itself."""
        self._lock.must_write()
        inputs: list[InputChange] = []
        moved: tuple[LockRow, ...] = ()
        files: list[str] = []
        errors: list[CockpitError] = []
        for folder in self._folders() if flake else ():
            say(f"updating {folder}/flake.lock")
            try:
                found = await self._inputs(folder)
            except CockpitError as error:
                errors.append(error)
                continue
            inputs += found
            files += [f"{folder}/flake.lock"] if found else []
        if images:
            say("asking the registries")
            try:
                written = await self._lock.write(upgrade=True, majors=majors)
                moved = tuple(row for row in written.rows if row.moved)
                files += written.changed
                errors += written.errors
            except CockpitError as error:
                errors.append(error)
        systems: list[SystemChange] = []
        for host in self._hosts.values() if build and files else ():
            try:
                systems.append(await self._system(host, say))
            except CockpitError as error:
                errors.append(error)
        return UpdateReport(tuple(inputs), moved, tuple(systems), tuple(files), tuple(errors))

    def _folders(self) -> tuple[str, ...]:
        """Of the flakes that hosts are built from, each once."""
        return tuple(dict.fromkeys(host.flake_folder.strip("/") or "." for host in self._hosts.values()))

    async def _inputs(self, folder: str) -> tuple[InputChange, ...]:
        path = f"{folder}/flake.lock".removeprefix("./")
        before = (await self._tree.read_many([path], MOST_BYTES)).get(path)
        await self._nix.update(folder)
        after = (await self._tree.read_many([path], MOST_BYTES)).get(path)
        if after is None:
            raise UsageError(f"{path} is not there", "nix updated the flake and wrote no lock", "is it in git?")
        return input_changes(folder, before, after)

    async def _system(self, host: HostSettings, say: Say) -> SystemChange:
        """As the last commit builds it against as the work tree does."""
        head = await self._repository.resolve("HEAD")
        say(f"building {host.name} as it was")
        old = await self._built(host, head.sha)
        say(f"building {host.name} as it will be")
        new = await self._built(host, None)
        units = tuple(sorted(name for name in old.units.keys() | new.units.keys() if old.units.get(name) != new.units.get(name)))
        packages, reboot = comparing.packages(old, new), comparing.reboot(old, new)
        return SystemChange(host.name, old.closure, new.closure, packages, units, reboot)

    async def _built(self, host: HostSettings, commit: str | None) -> Contents:
        return await self._builder.contents(host, await self._builder.build(host, commit, _unheard))


def _unheard(line: str) -> None:
    """What a build that succeeds says; why another fails is in its error."""
