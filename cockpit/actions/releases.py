"""Releases as data: built on this machine, written to a file, and compared with what hosts run by reading alone.

Two actions, so that a pull request can be planned without its code ever being near a host: `Releases` builds, on a machine
without any identity; `ReadOnly` compares, on one with an identity that may only look. Between them goes a file that nobody has
to trust.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cockpit.actions import rules
from cockpit.actions.run import Run
from cockpit.actions.world import World
from cockpit.domain import comparing
from cockpit.domain.contents import MOST_TEXT, Contents, ReleaseFile
from cockpit.domain.errors import Exit, Refused, UsageError
from cockpit.domain.events import HostOutcome, Outcome, Output, Warned
from cockpit.domain.hosts import AttemptKind, Closure, HostFacts
from cockpit.domain.plan import HostPlan, Plan, Problem
from cockpit.domain.repository import Commit
from cockpit.domain.text import plain
from cockpit.ports import Builder

UNKNOWN = (
    "which of these units run, and whether the new system can be activated: no trial activation was made",
    "whether the host can decrypt its secrets, and which values are others",
    "whether files were changed on the host, and whether its images can be had: nothing was pulled",
)


class Releases:
    def __init__(self, world: World, builder: Builder) -> None:
        self._world = world
        self._builder = builder

    async def make(self, hosts: Sequence[str], revision: str | None, *, run: Run) -> ReleaseFile:
        """Builds each host's system here. Nothing is asked of a host."""
        world = self._world
        async with world.step(run, "resolve") as note:
            commit = await self._resolve(hosts, revision)
            note.append(f"{commit.short} {commit.subject}")
        made: list[Contents] = []
        for name in hosts:
            async with world.step(run, "build", name) as note:
                contents = await self.build(name, commit, run)
                made.append(contents)
                note.append(contents.closure)
        return ReleaseFile(commit.sha, plain(commit.subject)[:MOST_TEXT], tuple(made))

    async def build(self, name: str, commit: Commit, run: Run) -> Contents:
        settings = self._world.host(name).settings

        def told(line: str) -> None:
            run.emit(Output, host=name, step="build", text=line)

        return await self._builder.contents(settings, await self._builder.build(settings, commit.sha, told))

    async def _resolve(self, hosts: Sequence[str], revision: str | None) -> Commit:
        world = self._world
        tree = await world.repository.tree()
        if revision is None and tree.head is None:
            raise Refused("there is no commit yet", "a release is made of a commit, never of a work tree", "git commit")
        if revision is None and tree.modified:
            raise Refused("tracked files have changes that are in no commit", ", ".join(tree.modified[:8]), "git commit")
        commit = await world.repository.resolve(revision or "HEAD")
        folders = sorted({folder for name in hosts for folder in world.folders(world.host(name).settings)})
        await world.repository.check_deployable(commit.sha, folders)
        return commit

    async def execute(
        self, hosts: Sequence[str], revision: str | None, *, run: Run, write: Callable[[ReleaseFile], None]
    ) -> Outcome:
        """Builds and writes. Never raises what it can explain."""

        async def work() -> Outcome:
            release = await self.make(hosts, revision, run=run)
            write(release)
            done = tuple(
                HostOutcome(c.host, Exit.DONE, f"built {c.closure}", commit=release.commit, changed=True) for c in release.hosts
            )
            return Outcome(run.id, Exit.DONE, done)

        run.action = run.action or "release.build"
        return await self._world.look(run, hosts, work)


class ReadOnly:
    """A plan that only looks: it sends nothing, pulls nothing, runs no trial activation, and needs no right on the host."""

    def __init__(self, world: World, releases: Releases) -> None:
        self._world = world
        self._releases = releases

    async def execute(
        self, hosts: Sequence[str], revision: str | None, release: ReleaseFile | None = None, *, run: Run
    ) -> Outcome:
        """With `release`, of what it says; else of the commit, built here. Never raises what it can explain."""
        world = self._world

        async def plan() -> Plan:
            made = release if release is not None else await self._releases.make(hosts, revision, run=run)
            theirs = {contents.host: contents for contents in made.hosts}
            for name in sorted(theirs.keys() - world.hosts.keys()):
                run.emit(Warned, step="resolve", text=f"the release has a host {name}, which is none here: not looked at")
            known = bool(await world.repository.known([made.commit]))

            async def one(name: str) -> HostPlan:
                if name not in theirs:
                    raise UsageError(f"the release says nothing of {name}", f"it has {', '.join(theirs) or 'no host'}")
                return await self._plan_host(name, made, theirs[name], known, run)

            title = " ".join(part for part in ("deploy", made.commit[:9], made.subject, "(only read)") if part)
            return await world.plan_hosts(run, "deploy", title, hosts, one)

        async def apply(plan: Plan) -> Outcome:
            raise Refused("a plan that only looked is not applied", "", "cockpit deploy makes its own")

        return await world.conclude(run, "release.plan", hosts, plan, apply, dry_run=True, reads=True)

    async def _plan_host(self, name: str, release: ReleaseFile, new: Contents, known: bool, run: Run) -> HostPlan:
        world = self._world
        host = world.host(name)
        async with world.step(run, "connect", name) as note:
            facts = await host.facts(deep=False)
            old = await host.contents()
            note.append(f"{(old.commit or 'no commit')[:9]}, read as {host.settings.user}")
        unknown = [] if old.paths and new.paths else ["which packages change: a closure could not be read"]
        problems, warnings = comparing.advice(new)
        if known:
            problems = (*await self._forbidden(facts, release.commit, host.settings.name), *problems)
        else:
            unknown.append(f"whether {release.commit[:9]} contains what runs: this clone does not have it")
        if rules.open_attempt(facts) is not None or facts.holder is not None:
            warnings = ("a run is at work on the host, or has not ended well", *warnings)
        same = old.closure == new.closure
        if same:
            unknown.append("whether every service runs")
        return HostPlan(
            host=name,
            kind=AttemptKind.DEPLOY,
            base="",
            old=facts.running,
            old_generation=facts.profile_generation,
            new=Closure(new.closure, release.commit, release.subject, has_cockpit=new.has_cockpit),
            new_generation=None,
            commit=release.commit,
            subject=release.subject,
            units=comparing.units(old, new),
            services=comparing.services(old, new),
            secrets=comparing.secrets(old, new),
            packages=comparing.packages(old, new),
            reboot=comparing.reboot(old, new),
            warnings=warnings,
            problems=problems,
            hold=facts.hold,
            nothing_to_do=same and facts.profile == new.closure and not problems,
            unknown=tuple(unknown) if same else (*UNKNOWN, *unknown),
        )

    async def _forbidden(self, facts: HostFacts, sha: str, name: str) -> tuple[Problem, ...]:
        """What the rules would say to a deploy of a commit that this clone has."""
        world = self._world
        commit = await world.repository.resolve(sha)
        found: list[Problem] = []
        try:
            await rules.check_rewind(world, facts, commit, allow_rewind=False, from_test=False)
            await rules.check_hold(world, world.host(name).settings, facts, commit, resume=False)
        except Refused as error:
            found.append(Problem(error.exit, error.what, error.why, error.hint))
        return tuple(found)
