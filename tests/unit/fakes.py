"""A homelab in memory: hosts that keep attempts, generations and events, a repository, a clock, an audit log.

They fail loudly (AssertionError) on a call that the story does not explain: building a commit that was never received,
switching to an unknown closure, or anything named in `forbidden`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cockpit.actions.attach import Attach
from cockpit.actions.bundle import Cockpit, Runs
from cockpit.actions.deploy import Deploy
from cockpit.actions.doctor import Doctor
from cockpit.actions.files import FileActions
from cockpit.actions.guests import GuestActions
from cockpit.actions.images import ImageActions
from cockpit.actions.operations import Operations
from cockpit.actions.releases import ReadOnly, Releases
from cockpit.actions.resume import Resume
from cockpit.actions.rollback import Rollback
from cockpit.actions.safety import Gate
from cockpit.actions.services import ServiceActions
from cockpit.actions.world import World
from cockpit.adapters.git.worktree import GitWorkTree
from cockpit.adapters.sops.store import SopsStore
from cockpit.domain.contents import Contents
from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.repository import Commit, TreeState
from cockpit.domain.services import LogLine
from cockpit.domain.settings import HostSettings, ProjectSettings, SecretSettings, Settings, Timing, UserSettings
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet
from tests.unit.clinic import Clinic
from tests.unit.fake_clock import START, FakeClock, sha
from tests.unit.fake_containers import FakeEngine, FakeShell, service
from tests.unit.fake_host import FakeHost, Trouble
from tests.unit.fake_images import FakeImageBuilder

__all__ = ["START", "FakeAudit", "FakeClock", "FakeEngine", "FakeHost", "FakeRepository", "Homelab", "Trouble"]
__all__ += ["homelab", "service", "sha", "until"]


class FakeAudit:
    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def append(self, record: dict[str, Any]) -> None:
        self.all.append(record)

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        return self.all[-limit:]


class FakeRepository:
    """A history of commits: `commit("b", parent="a")`. Trees differ from commit to commit unless `same_tree` says so."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.trees: dict[str, dict[str, str]] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.names: dict[str, str] = {}
        self.modified: tuple[str, ...] = ()
        self.untracked: tuple[str, ...] = ()
        self.undeployable: CockpitError | None = None
        self.packed: list[tuple[str, tuple[str, ...]]] = []

    def commit(
        self, letter: str, parent: str | None = None, subject: str = "", body: str = "", same_tree: str | None = None
    ) -> Commit:
        full = sha(letter)
        commit = Commit(full, subject or f"commit {letter}", "ada", START, f"{subject}\n\n{body}")
        self.commits[full] = commit
        self.parents[full] = (sha(parent),) if parent else ()
        self.trees[full] = (
            dict(self.trees[sha(same_tree)]) if same_tree else {p: f"{p}-{letter}" for p in ("nix", "compose", "secrets")}
        )
        self.names["main"] = self.names["HEAD"] = full
        return commit

    async def tree(self) -> TreeState:
        head = self.names.get("HEAD")
        return TreeState("main", self.commits[head] if head else None, modified=self.modified, untracked=self.untracked)

    async def resolve(self, revision: str) -> Commit:
        full = self.names.get(revision)
        found = [full] if full else [s for s in self.commits if len(revision) >= 4 and s.startswith(revision)]
        if len(found) != 1:
            raise UsageError(f"there is no commit {revision}")
        return self.commits[found[0]]

    async def check_deployable(self, commit: str, folders: Sequence[str]) -> None:
        assert commit in self.commits
        if self.undeployable is not None:
            raise self.undeployable

    def _reachable(self, start: str) -> list[str]:
        seen: list[str] = []
        todo = [start]
        while todo:
            one = todo.pop(0)
            if one in self.commits and one not in seen:
                seen.append(one)
                todo += self.parents[one]
        return seen

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        return ancestor in self._reachable(descendant)

    async def log(self, include: str, exclude: Sequence[str] = (), limit: int = 1000) -> tuple[Commit, ...]:
        hidden = {one for start in exclude for one in self._reachable(start)}
        return tuple(self.commits[one] for one in self._reachable(include) if one not in hidden)[:limit]

    async def read(self, commit: str, path: str) -> bytes:
        if (commit, path) not in self.files:
            raise UsageError(f"{path} is not in {commit[:7]}")
        return self.files[commit, path]

    async def files_in(self, commit: str, folder: str) -> tuple[str, ...]:
        inside = [path.removeprefix(f"{folder}/") for at, path in self.files if at == commit and path.startswith(f"{folder}/")]
        return tuple(name for name in inside if "/" not in name)

    async def tree_id(self, commit: str, path: str) -> str | None:
        if (commit, path) in self.files:
            return f"blob-{hash(self.files[commit, path])}"
        return self.trees[commit].get(path) or self.trees[commit].get(path.split("/")[0])

    async def known(self, commits: Sequence[str]) -> tuple[str, ...]:
        return tuple(c for c in commits if c in self.commits)

    async def pack(self, commit: str, haves: Sequence[str]) -> AsyncIterator[bytes]:
        self.packed.append((commit, tuple(haves)))
        yield b"PACK"
        yield commit.encode()

    async def subjects(self, commits: Sequence[str]) -> dict[str, Commit]:
        return {c: self.commits[c] for c in commits if c in self.commits}


async def until(reached: Callable[[], bool]) -> None:
    """Lets the loop turn until a story has come this far; fails when it never does."""
    for _ in range(10_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("the story never came this far")


class FakeBuilder:
    """Builds what `systems` has, by (host, commit)."""

    def __init__(self) -> None:
        self.systems: dict[tuple[str, str], Contents | CockpitError] = {}

    async def build(self, host: HostSettings, commit: str | None, told: Callable[[str], None]) -> str:
        told(f"building {host.name}")
        return self._found(host, commit or "").closure

    async def contents(self, host: HostSettings, closure: str) -> Contents:
        """Of the first commit that has this system."""
        return next(s for s in self.systems.values() if isinstance(s, Contents) and s.closure == closure)

    def _found(self, host: HostSettings, commit: str) -> Contents:
        found = self.systems[host.name, commit]
        if isinstance(found, CockpitError):
            raise found
        return found

    async def requisites(self, closure: str) -> tuple[str, ...]:
        raise AssertionError("nothing is copied")

    def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        raise AssertionError("nothing is copied")


@dataclass
class Homelab:
    """Hosts `alpha` and `beta` that run commit b of the history a - b - c (HEAD)."""

    clock: FakeClock
    repository: FakeRepository
    audit: FakeAudit
    hosts: dict[str, FakeHost]
    engines: dict[str, FakeEngine]
    cockpit: Cockpit
    builder: FakeBuilder

    @property
    def alpha(self) -> FakeHost:
        return self.hosts["alpha"]

    @property
    def beta(self) -> FakeHost:
        return self.hosts["beta"]


def homelab(names: Sequence[str] = ("alpha", "beta"), *, headless: bool = True, approve_hosts: Iterable[str] = (),
            protected: Iterable[str] = ()) -> Homelab:  # fmt: skip
    clock, repository, audit = FakeClock(), FakeRepository(), FakeAudit()
    repository.commit("a", subject="Start")
    repository.commit("b", "a", subject="Add the proxy")
    repository.commit("c", "b", subject="Update paperless")
    secret = SecretSettings("db-password", "secrets/app.yaml", "app.db-password")
    projects = {"core": ProjectSettings("core", "compose/core", "/var/lib/cockpit/projects/core", secrets=(secret,))}
    settings = Settings(
        root=Path("/homelab"),
        hosts={
            name: HostSettings(
                name,
                f"{name}.test",
                projects=("core",),
                tags=("prod",),
                protected=name in set(protected),
                timing=Timing(2, 1, 30),
            )
            for name in names
        },
        projects=projects,
    )
    hosts = {}
    for name in names:
        host = FakeHost(settings.hosts[name], clock, 140, sha("a"))
        host.add_generation(141, sha("b"))
        hosts[name] = host
    engines = {name: FakeEngine(name, [service(name, "core", "web"), service(name, "core", "db")], clock) for name in names}
    for engine in engines.values():
        engine.lines = [LogLine(engine.host, "core", "web", START - 10 + i, f"line {i}") for i in range(5)]
    gate = Gate(clock, headless=headless, approve_hosts=approve_hosts)
    world = World(settings, hosts, repository, clock, audit, gate, "ada", "laptop", SopsStore(settings.root))
    work_tree, builder = GitWorkTree(settings.root), FakeBuilder()
    cockpit = Cockpit(
        settings=settings, user=UserSettings(), clock=clock, repository=repository,
        fleet=Fleet(hosts, engines, repository, clock, audit), deploy=Deploy(world), rollback=Rollback(world),
        resume=Resume(world), attach=Attach(world), releases=(releases := Releases(world, builder)),
        read_only=ReadOnly(world, releases), gate=gate, audit=audit, runs=Runs(clock), who="ada", origin="laptop",
        bootstrap=cast(Any, None),
        work_tree=work_tree, files=Files(work_tree, world.secrets, clock),
        file_actions=FileActions(work_tree, world.secrets, Operations(clock, audit, gate, "ada", "laptop")),
        guests=GuestActions({}, settings, Operations(clock, audit, gate, "ada", "laptop"), clock, "ada"),
        services=ServiceActions(engines, hosts, settings, Operations(clock, audit, gate, "ada", "laptop"), clock, "ada", "laptop",
                                FakeShell(), gate, audit),
        doctor=Doctor(lambda: Clinic().context()),
        images=ImageActions(settings, repository, FakeImageBuilder(), {}, {}, work_tree,
                            Operations(clock, audit, gate, "ada", "laptop"), clock),
        version="0", closing=tuple(h.close for h in hosts.values()),
    )  # fmt: skip
    return Homelab(clock, repository, audit, hosts, engines, cockpit, builder)
