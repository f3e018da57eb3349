"""From a host's answer to `check` (docs/host-protocol.md) to a HostPlan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cockpit.actions import rules
from cockpit.actions.world import World
from cockpit.domain.errors import CockpitError, Exit
from cockpit.domain.hosts import AttemptKind, Closure, Hold, HostFacts
from cockpit.domain.plan import Change, HostPlan, PackageChange, Problem, SecretChange, ServiceChange, Take, UnitChanges
from cockpit.domain.repository import Commit
from cockpit.domain.settings import HostSettings
from cockpit.ports import Host

PROGRAM = "/run/current-system/sw/bin/cockpit-transaction"


async def check(
    world: World,
    host: Host,
    run: str,
    kind: AttemptKind,
    target: Closure,
    generation: int | None,
    facts: HostFacts,
    commit: Commit | None,
    take: Take | None = None,
    *,
    take_over: bool = False,
) -> HostPlan:
    """Asks the host what the target would change. `commit` is the one of the target, where it is known here."""
    request: dict[str, Any] = {"run": run, "kind": kind.value}
    if generation is not None:
        request["generation"] = generation
    else:
        request["closure"] = target.path
    take = take or Take()
    request["take"] = {"host": take.host, "git": take.git}
    if take_over:
        request["take_over"] = True
    over = rules.open_attempt(facts)
    if over is not None:
        request["over"] = over
    answer = await host.check(request)
    new = answer.get("new") or {}
    old = answer.get("old") or {}
    sha = new.get("commit") or target.commit
    plan = HostPlan(
        host=host.settings.name,
        kind=kind,
        base=str(answer.get("base", "")),
        old=_closure(old, facts.running),
        old_generation=old.get("generation"),
        new=_closure(new, target),
        new_generation=new.get("generation", generation) if kind is not AttemptKind.DEPLOY else None,
        commit=sha,
        subject=commit.subject if commit is not None else target.subject,
        units=_units(answer.get("units") or {}),
        services=tuple(_service(entry) for entry in answer.get("services") or ()),
        secrets=tuple(
            SecretChange(str(s.get("project", "")), str(s.get("name", "")), str(s.get("change", "")))
            for s in answer.get("secrets") or ()
        ),
        reboot=_pair(answer.get("reboot")),
        inhibitors=tuple(str(i) for i in answer.get("inhibitors") or ()),
        warnings=(*_over(over), *(str(w) for w in answer.get("warnings") or ())),
        problems=_problems(answer),
        hold=facts.hold,
        nothing_to_do=bool(answer.get("nothing_to_do")),
        revert_after=host.settings.timing.revert_after,
        take=take,
        over=over,
    )
    return replace(plan, commands=commands(host.settings, plan, run), packages=await _packages(host, plan))


def request(
    plan: HostPlan, run: str, world: World, *, hold: Mapping[str, Any] | None = None, lifts: bool = False
) -> dict[str, Any]:
    """What `cockpit-transaction run` reads on standard input."""
    timing = world.host(plan.host).settings.timing
    return {
        "schema": 1,
        "run": run,
        "kind": plan.kind.value,
        "closure": plan.new.path,
        "generation": plan.new_generation if plan.kind is AttemptKind.ROLLBACK else None,
        "base": plan.base,
        "commit": plan.commit,
        "subject": plan.subject or "",
        "who": world.who,
        "origin": world.origin,
        "timing": {"wait": timing.wait, "stable": timing.stable, "revert_after": timing.revert_after},
        "hold": dict(hold) if hold is not None else None,
        "lifts": lifts,
        "over": plan.over,
        "take": {"host": plan.take.host, "git": plan.take.git},
    }


def commands(settings: HostSettings, plan: HostPlan, run: str) -> tuple[str, ...]:
    """What is run there, in full. The program does the rest by itself, also when this connection ends."""
    ssh = f"ssh {settings.user}@{settings.address} sudo {PROGRAM}"
    target = f"generation {plan.new_generation}" if plan.kind is AttemptKind.ROLLBACK else plan.new.path
    return (f"{ssh} run  # {plan.kind.value} {target}", f"{ssh} confirm {run} reach", f"{ssh} confirm {run} confirm")


def idle(host: str, kind: AttemptKind, facts: HostFacts, commit: Commit | None, hold: Hold | None = None) -> HostPlan:
    """The plan of a host that already is what it should be."""
    return HostPlan(
        host=host,
        kind=kind,
        base="",
        old=facts.running,
        old_generation=facts.profile_generation,
        new=facts.running,
        new_generation=facts.profile_generation,
        commit=commit.sha if commit is not None else facts.running.commit,
        subject=commit.subject if commit is not None else facts.running.subject,
        hold=hold,
        nothing_to_do=True,
    )


def _over(run: str | None) -> tuple[str, ...]:
    if run is None:
        return ()
    return (f"run {run} ended on neither release; this one goes over it, and back to where that one should have gone back to",)


async def _packages(host: Host, plan: HostPlan) -> tuple[PackageChange, ...]:
    """Best effort: a plan is not worth less without it."""
    if plan.old.path == plan.new.path:
        return ()
    try:
        return await host.diff(plan.old.path, plan.new.path)
    except CockpitError:
        return ()


def _closure(answer: Mapping[str, Any], known: Closure) -> Closure:
    path = str(answer.get("closure") or known.path)
    commit = answer.get("commit")
    if path == known.path:
        return replace(known, commit=known.commit or commit)
    return Closure(path=path, commit=commit)


def _units(answer: Mapping[str, Any]) -> UnitChanges:
    def names(key: str) -> tuple[str, ...]:
        value = answer.get(key) or ()
        return tuple(str(name) for name in value) if isinstance(value, Sequence) else ()

    return UnitChanges(names("stop"), names("restart"), names("reload"), names("start"))


def _service(entry: Mapping[str, Any]) -> ServiceChange:
    try:
        change = Change(entry.get("change"))
    except ValueError:
        change = Change.RECREATE
    return ServiceChange(
        project=str(entry.get("project", "")),
        service=str(entry.get("service", "")),
        change=change,
        why=str(entry.get("why") or ""),
        old_image=entry.get("old_image"),
        new_image=entry.get("new_image"),
    )


def _pair(value: object) -> tuple[str, str] | None:
    return (str(value[0]), str(value[1])) if isinstance(value, list | tuple) and len(value) == 2 else None


def _problems(answer: Mapping[str, Any]) -> tuple[Problem, ...]:
    problems = []
    for entry in answer.get("problems") or ():
        try:
            code = Exit(int(entry.get("exit", Exit.REFUSED)))
        except ValueError:
            code = Exit.REFUSED
        problems.append(Problem(code, str(entry.get("what", "")), str(entry.get("why") or ""), str(entry.get("hint") or "")))
    inhibitors = answer.get("inhibitors") or ()
    if inhibitors and not problems:
        problems.append(
            Problem(
                Exit.REFUSED,
                "this release cannot be switched to while the host runs",
                "; ".join(str(i) for i in inhibitors),
                "nixos-rebuild boot, then reboot",
            )
        )
    return tuple(problems)
