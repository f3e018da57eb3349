"""First contact: a NixOS host that never saw cockpit becomes one that is deployed, or stays exactly as it is.

It is the transaction of every deploy, run by the programs of the system that it brings. What runs on the host already is not
touched: projects that the release has are taken as they are, or the plan is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from cockpit.actions import plain, planning, rules, transaction
from cockpit.actions.adopt.flake import has_inputs
from cockpit.actions.reading import read_settled
from cockpit.actions.run import Run
from cockpit.actions.world import World
from cockpit.domain.errors import BuildFailed, CockpitError, Refused, Unreachable, UsageError
from cockpit.domain.events import Outcome, Output, Progress, Warned
from cockpit.domain.hosts import AttemptKind, Closure, HostFacts, Prospect
from cockpit.domain.plan import Allow, HostPlan, Plan
from cockpit.domain.repository import Commit
from cockpit.domain.settings import HostSettings
from cockpit.ports import Builder, BuildResult, FirstContact

ACTION = "release.bootstrap"
NOTHING = Allow()


class Bootstrap:
    def __init__(self, world: World, contact: Callable[[str, str], FirstContact], builder: Builder) -> None:
        """`contact` makes the connection to a host as a user."""
        self._world = world
        self._contact = contact
        self._builder = builder

    async def execute(
        self,
        name: str,
        revision: str | None = None,
        *,
        run: Run,
        user: str = "root",
        allow: Allow = NOTHING,
        take_over: bool = False,
        here: bool = False,
        dry_run: bool = False,
    ) -> Outcome:
        """Plan, approve (run.approve), apply. `here` builds on this machine whatever the host has.

        Never raises what it can explain."""
        self._world.host(name)
        contact = self._contact(name, user)
        world = replace(self._world, hosts={**self._world.hosts, name: contact})

        async def plan() -> Plan:
            async with world.step(run, "resolve") as note:
                commit = await self._resolve(name, revision, run)
                note.append(f"{commit.short} {commit.subject}")

            async def plan_host(_: str) -> HostPlan:
                return await self._plan_host(world, contact, user, commit, run, allow, take_over, here)

            return await world.plan_hosts(run, "bootstrap", f"bootstrap {name} with {commit.short}", [name], plan_host)

        async def apply(made: Plan) -> Outcome:
            requests = {h.host: planning.request(h, made.run, world) for h in made.hosts if not h.nothing_to_do}
            return await transaction.apply(world, made, requests, run)

        try:
            return await world.conclude(run, ACTION, [name], plan, apply, dry_run=dry_run)
        finally:
            await contact.close()

    async def _resolve(self, name: str, revision: str | None, run: Run) -> Commit:
        world = self._world
        settings = world.host(name).settings
        commit = await world.repository.resolve(revision or "HEAD")
        if revision is None:
            tree = await world.repository.tree()
            if tree.modified:
                fix = f"git commit, or --commit {commit.short} does without them"
                raise Refused("tracked files have changes that are in no commit", ", ".join(tree.modified[:8]), fix)
            if tree.untracked:
                run.emit(Warned, step="resolve", text=f"not in git, so not brought there: {', '.join(tree.untracked[:8])}")
        await world.repository.check_deployable(commit.sha, world.folders(settings))
        await plain.refuse(world, settings, commit)
        await self._check_flake(commit, settings.flake_folder)
        return commit

    async def _check_flake(self, commit: Commit, folder: str) -> None:
        """Inputs without a lock: what is built would depend on the day, and nix refuses it anyway, in other words."""
        at = f"{folder}/" if folder else ""
        try:
            flake = await self._world.repository.read(commit.sha, f"{at}flake.nix")
        except UsageError:
            raise BuildFailed(
                f"{commit.short} has no {at}flake.nix", "a host is built from its flake", "cockpit adopt writes one; commit it"
            ) from None
        if has_inputs(flake.decode("utf-8", "replace")):
            try:
                await self._world.repository.read(commit.sha, f"{at}flake.lock")
            except UsageError:
                raise BuildFailed(
                    f"{commit.short} has no {at}flake.lock",
                    "its inputs are pinned nowhere, so that nobody could say what is built",
                    f"nix flake lock ./{folder}, then git add {at}flake.lock and commit",
                ) from None

    async def _look(self, contact: FirstContact) -> Prospect | None:
        """None where the host is cockpit's already and lets nobody else in any more."""
        name = contact.settings.name
        try:
            return await contact.look()
        except Unreachable:
            # a host that was bootstrapped often lets in its deploy user only
            try:
                facts = await self._world.host(name).facts(deep=False)
            except CockpitError:
                facts = None
            if facts is None or facts.manifest is None:
                raise
            return None

    async def _plan_host(
        self,
        world: World,
        contact: FirstContact,
        user: str,
        commit: Commit,
        run: Run,
        allow: Allow,
        take_over: bool,
        here: bool,
    ) -> HostPlan:
        name = contact.settings.name
        async with world.step(run, "connect", name) as note:
            prospect = await self._look(contact)
            if prospect is None or prospect.cockpit:
                facts = await self._world.host(name).facts(deep=False)
                note.append("cockpit is there already")
                return _known(facts, commit)
            if not prospect.nixos:
                raise Refused(
                    f"{name} is no NixOS host",
                    "it has no /run/current-system with a profile behind it",
                    "install NixOS there first: docs/adopting.md, or an image of the reference homelab",
                )
            facts = await read_settled(world, contact, run, deep=False)
            rules.check_test_only(facts, allow.from_test)
            note.append(f"NixOS, generation {facts.profile_generation}, without cockpit")
        async with world.step(run, "prepare", name) as note:
            target = await self._prepare(world, contact, prospect, commit, run, here)
            note.append(target.path)
        async with world.step(run, "plan", name) as note:
            made = await planning.check(
                world, contact, run.id, AttemptKind.BOOTSTRAP, target, None, facts, commit, allow.take, take_over=take_over
            )
            for warning in made.warnings:
                run.emit(Warned, host=name, step="plan", text=warning)
            note.append(f"{len(made.interrupted)} services change")
        return replace(made, commands=_commands(contact.settings, user, made, run.id))

    async def _prepare(
        self, world: World, contact: FirstContact, prospect: Prospect, commit: Commit, run: Run, here: bool
    ) -> Closure:
        """Writes only content-addressed things: the commit's objects, and the system."""
        name, settings = contact.settings.name, contact.settings
        known = await world.repository.known(prospect.haves)
        closure = ""

        def told(line: str) -> None:
            run.emit(Output, host=name, step="prepare", text=line)

        if here or not prospect.git:
            run.emit(
                Progress, host=name, step="prepare", text="builds on this machine" + ("" if here else ": the host has no git")
            )
            closure = await self._builder.build(settings, commit.sha, told)
            missing = await contact.lacks(await self._builder.requisites(closure))
            run.emit(Progress, host=name, step="prepare", text=f"copies {len(missing)} store paths")
            await contact.take(run.id, closure, self._builder.export(missing) if missing else _nothing())
        else:
            async for item in contact.build_first(run.id, commit.sha, world.repository.pack(commit.sha, known)):
                if isinstance(item, BuildResult):
                    closure = item.closure
                else:
                    told(item)
        if not closure:
            raise BuildFailed("the build ended without a result", "")
        await contact.prepare(run.id, closure)
        if commit.sha not in prospect.haves and (here or not prospect.git):
            await contact.receive(commit.sha, world.repository.pack(commit.sha, known))
        return Closure(path=closure, commit=commit.sha, subject=commit.subject, has_cockpit=True)


async def _nothing() -> Any:  # noqa: ANN401 - an async generator
    yield b"\0" * 8  # the end of an export that holds nothing


def _known(facts: HostFacts, commit: Commit) -> HostPlan:
    """A host that has cockpit: nothing to do where it runs this commit, else a deploy's."""
    if rules.up_to_date(facts, commit.sha):
        return planning.idle(facts.name, AttemptKind.BOOTSTRAP, facts, commit)
    running = (facts.running.commit or "no commit")[:7]
    raise Refused(
        f"{facts.name} has cockpit already, and runs {running}", "first contact is made once", f"cockpit deploy {facts.name}"
    )


def _commands(settings: HostSettings, user: str, plan: HostPlan, run: str) -> tuple[str, ...]:
    sudo = "" if user == "root" else "sudo "
    first = f"ssh {user}@{settings.address} {sudo}{plan.new.path}/sw/bin/cockpit-transaction run  # bootstrap {plan.new.path}"
    return (first, *planning.commands(settings, plan, run)[1:])
