"""What changes services: start, stop, restart by the engine; up, pull, down by the host's release; a shell in a container.

How it ended is read from the containers afterwards, never from the answer: an engine says "done" to the start of what then dies.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence

from cockpit.actions.lifecycle import Follow
from cockpit.actions.operations import Operations
from cockpit.actions.run import Approval, Run
from cockpit.actions.safety import Gate
from cockpit.domain.addresses import before, in_order, named
from cockpit.domain.containers import Lifecycle, carries_traffic, unfit
from cockpit.domain.errors import CockpitError, OperationFailed, OutcomeUnknown, Refused, Unreachable, UsageError
from cockpit.domain.events import Outcome, Output
from cockpit.domain.operation import Impact, Operation, Step
from cockpit.domain.plan import Change, ServiceChange, Tier
from cockpit.domain.services import Service, State
from cockpit.domain.settings import HostSettings, Settings
from cockpit.ports import AuditLog, Clock, ComposeHost, ContainerEngine, ContainerShell

SHELL = "service.shell"
_WORDS = {Change.CREATE: "is made new", Change.RECREATE: "is recreated", Change.START: "starts", Change.REMOVE: "is removed"}


class ServiceActions:
    def __init__(
        self,
        engines: Mapping[str, ContainerEngine],
        hosts: Mapping[str, ComposeHost],
        settings: Settings,
        operations: Operations,
        clock: Clock,
        who: str,
        origin: str,
        shell: ContainerShell,
        gate: Gate,
        audit: AuditLog,
    ) -> None:
        self._engines = engines
        self._hosts = hosts
        self._settings = settings
        self._operations = operations
        self._clock = clock
        self._who = who
        self._origin = origin
        self._shell = shell
        self._gate = gate
        self._audit = audit
        self._at_work: dict[str, asyncio.Lock] = {}
        self.changed: list[Callable[[str], None]] = []
        """Called with the name of a host after something was done there."""

    async def execute(self, verb: Lifecycle, refs: Sequence[str], run: Run, approve: Approval) -> Outcome:
        """`refs` are `HOST/PROJECT` or `HOST/PROJECT/SERVICE[/NUMBER]`. Raises nothing that it can explain."""
        found: dict[str, Service] = {}
        idle: set[str] = set()
        ended: dict[str, asyncio.Event] = {}

        async def plan() -> Operation:
            if not refs:
                raise UsageError("no service is named", "", "HOST/PROJECT/SERVICE, or HOST/PROJECT for all of a project")
            if verb.compose:
                return await self._compose(verb, refs, run, idle)
            operation = await self._containers(verb, refs, run, found)
            ended.update((target, asyncio.Event()) for target in operation.targets)
            return operation

        async def apply(step: Step) -> str:
            host = step.target.partition("/")[0]
            try:
                if step.target in idle:
                    return "runs as the release says"
                if verb.compose:
                    # the host has one lock: the next one waits here instead of being refused there
                    async with self._at_work.setdefault(host, asyncio.Lock()):
                        return await self._apply_compose(verb, step.target, run)
                for other in before(found[step.target], list(found.values()), stopping=verb is Lifecycle.STOP):
                    await ended[other.address].wait()
                return await self._follow(found[step.target], run).apply(verb)
            finally:
                if step.target in ended:
                    ended[step.target].set()
                for tell in tuple(self.changed):
                    tell(host)

        return await self._operations.execute(run, plan, apply, approve)

    def _follow(self, service: Service, run: Run) -> Follow:
        return Follow(self._engines[service.host], service, run, self._clock, self._host(service.host).timing)

    # containers

    async def _containers(self, verb: Lifecycle, refs: Sequence[str], run: Run, found: dict[str, Service]) -> Operation:
        seen: dict[str, tuple[Service, ...]] = {}
        for host in dict.fromkeys(ref.partition("/")[0] for ref in refs):
            if host not in self._engines:
                raise UsageError(f"there is no host {host!r}", "", f"hosts: {', '.join(self._engines) or 'none'}")
            seen[host] = (await self._engines[host].services()).services
        wanted = {s.container or s.address: s for ref in dict.fromkeys(refs) for s in named(ref, seen)}
        left_out = {key: reason for key, s in wanted.items() if (reason := unfit(s, verb)) is not None}
        if len(left_out) == len(wanted):
            one = next(iter(wanted.values()))
            raise Refused(f"{one.host}/{one.ref}: {next(iter(left_out.values()))}")
        going = in_order([s for key, s in wanted.items() if key not in left_out], stopping=verb is Lifecycle.STOP)
        found.update((s.address, s) for s in going)
        carriers = {s.address: why for s in going if (why := carries_traffic(s))}
        tier = Tier.OUTAGE if verb is Lifecycle.RESTART and carriers else verb.tier
        return Operation(
            run.id,
            f"service.{verb.value}",
            verb.value,
            f"{verb.value.capitalize()} {_object(refs, going)}",
            tier,
            tuple(Step(s.address, (self._ssh(s.host, f"docker {verb.value} {s.name}"),), self._protected(s.host)) for s in going),
            interrupts=tuple(i for s in going for i in self._interrupts(verb, s, going, seen[s.host])),
            afterwards=(
                *(
                    (Impact("○", s.ref, "is stopped until S, u, the next deploy or a reboot") for s in going)
                    if verb is Lifecycle.STOP
                    else ()
                ),
                *(Impact("○", wanted[key].ref, f"is left out: {reason}") for key, reason in left_out.items()),
            ),
        )

    def _interrupts(self, verb: Lifecycle, service: Service, going: Sequence[Service], all_: Sequence[Service]) -> list[Impact]:
        if verb is Lifecycle.START:
            return []
        up = f"has run for {_span(self._clock.now() - service.since)}" if service.since and service.state is State.RUNNING else ""
        words = "stops" if verb is Lifecycle.STOP else "restarts"
        why = "; ".join(part for part in (words, carries_traffic(service), up) if part)
        out = [Impact("✕" if verb is Lifecycle.STOP else "↻", service.ref, why)]
        for other in all_:
            if other.project == service.project and service.service in other.after and other not in going:
                out.append(Impact("▲", other.ref, f"depends on {service.service}, and goes on without it"))
        return out

    # compose

    async def _compose(self, verb: Lifecycle, refs: Sequence[str], run: Run, idle: set[str]) -> Operation:
        targets = list(dict.fromkeys("/".join(ref.split("/")[:3]) for ref in refs))
        if verb is Lifecycle.DOWN:
            targets = list(dict.fromkeys("/".join(ref.split("/")[:2]) for ref in targets))
        parts = [ref.split("/") for ref in targets]
        for ref, words in zip(targets, parts, strict=True):
            if len(words) < 2 or not all(words):
                raise UsageError(f"{ref!r} is no project", "", "HOST/PROJECT, or HOST/PROJECT/SERVICE")
            if words[0] not in self._hosts:
                raise UsageError(f"there is no host {words[0]!r}", "", f"hosts: {', '.join(self._hosts) or 'none'}")
        projects = list(dict.fromkeys((words[0], words[1]) for words in parts))
        plans = await asyncio.gather(*(self._hosts[host].compose_plan(project) for host, project in projects))
        planned = dict(zip(projects, plans, strict=True))
        running = {
            (s.host, s.project, s.service): s
            for host in dict.fromkeys(host for host, _ in projects)
            for s in (await self._engines[host].services()).services
        }
        steps, interrupts, tier = [], [], verb.tier
        for ref, words in zip(targets, parts, strict=True):
            one = words[2] if len(words) > 2 else ""
            changes = [c for c in planned[words[0], words[1]] if not one or c.service == one]
            if one and not changes:
                raise UsageError(f"{words[0]}/{words[1]} has no service {one!r}", "in its running release")
            if verb is Lifecycle.UP and all(c.change is Change.KEEP for c in changes):
                idle.add(ref)
            told, worse = self._impact(verb, words[0], changes, running)
            interrupts += told
            tier = max(tier, worse, key=lambda t: t.value)
            command = f"sudo cockpit-transaction compose {verb.value} {shlex.join(words[1:])}"
            steps.append(Step(ref, (self._ssh(words[0], command),), self._protected(words[0])))
        if len(idle) == len(targets):
            tier = Tier.READ
        whole = verb is Lifecycle.DOWN or (verb is Lifecycle.UP and all(len(words) < 3 for words in parts))
        return Operation(
            run.id,
            f"{'project' if whole else 'service'}.{verb.value}",
            verb.value,
            f"{verb.value.capitalize()} {_joined(targets)}",
            tier,
            tuple(steps),
            interrupts=tuple(interrupts),
            afterwards=_afterwards(verb, targets),
        )

    def _impact(
        self, verb: Lifecycle, host: str, changes: Sequence[ServiceChange], running: Mapping[tuple[str, str, str], Service]
    ) -> tuple[list[Impact], Tier]:
        """What one project's plan means, and how dangerous that is."""
        out: list[Impact] = []
        tier = verb.tier
        for c in changes:
            service = running.get((host, c.project, c.service))
            on = service is not None and service.state in (State.RUNNING, State.RESTARTING, State.PAUSED)
            carries = carries_traffic(service) if service is not None and on else ""
            name = f"{c.project}/{c.service}"
            if verb is Lifecycle.DOWN and service is not None:
                out.append(
                    Impact("✕", name, "; ".join(w for w in ("stops and is removed" if on else "is removed", carries) if w))
                )
            elif verb is Lifecycle.UP and c.change is not Change.KEEP:
                images = f", {c.old_image} → {c.new_image}" if c.new_image and c.old_image not in (None, c.new_image) else ""
                why = f"{_WORDS[c.change]}: {c.why}{images}" if c.why else _WORDS[c.change] + images
                mark = "✕" if c.change is Change.REMOVE else "↻" if on else "●"
                out.append(Impact(mark, name, "; ".join(w for w in (why, carries) if w)))
                if on and (carries or c.change is Change.REMOVE):
                    tier = Tier.OUTAGE
        return out, tier

    async def _apply_compose(self, verb: Lifecycle, target: str, run: Run) -> str:
        host, project, *rest = target.split("/")
        service = rest[0] if rest else ""
        request = {"run": run.id, "who": self._who, "origin": self._origin}
        answer: dict[str, object] = {}
        lost: OutcomeUnknown | None = None
        try:
            async for told in self._hosts[host].compose(verb, project, service, request):
                if isinstance(told, str):
                    run.emit(Output, host=target, step=verb.value, text=told)
                else:
                    answer = told
        except OutcomeUnknown as error:
            lost = error
        if verb is Lifecycle.PULL:
            if lost is not None:
                raise lost
            return _pulled(answer)
        try:
            here = [s for s in (await self._engines[host].services()).services if s.project == project]
        except Unreachable as error:
            raise lost or OutcomeUnknown(f"{target}: what became of it cannot be read", str(error)) from None
        if lost is not None and await self._changes_left(verb, host, project, service, here):
            raise lost
        if verb is Lifecycle.DOWN:
            if here:
                raise OperationFailed(f"{target} is not down", f"{', '.join(s.service for s in here)} is still there")
            return "down; its volumes are kept"
        mine = in_order([s for s in here if service in ("", s.service)], stopping=False)
        if not mine:
            raise OperationFailed(f"{target} has no container", "compose said that it is up", f"docker compose -p {project} ps")
        words = [await self._follow(s, run).settled(None) for s in mine]
        return words[0] if len(words) == 1 else f"{len(words)} services are up"

    async def _changes_left(self, verb: Lifecycle, host: str, project: str, service: str, here: Sequence[Service]) -> bool:
        """After a lost connection: whether the host is not there yet, or cannot be asked."""
        if verb is Lifecycle.DOWN:
            return bool(here)
        try:
            plan = await self._hosts[host].compose_plan(project)
        except CockpitError:
            return True
        return any(c.change is not Change.KEEP for c in plan if service in ("", c.service))

    # shell

    def shell_command(self, service: Service) -> tuple[str, ...]:
        return self._shell.command(service)

    async def shell(self, service: Service) -> int:
        """In the terminal of this process, which must be free. Refused by the gate; OperationFailed where there is no shell."""
        if service.state is not State.RUNNING:
            raise Refused(f"{service.host}/{service.ref} does not run", "", "S starts it")
        self._gate.check(Tier.REVERSIBLE, SHELL, service.host, self._protected(service.host))
        at = self._clock.now()
        code = await self._shell.open(service)
        target = service.address
        self._audit.append(
            {
                "schema": 1, "run": "", "action": SHELL, "title": f"Shell in {target}", "who": self._who, "origin": self._origin,
                "at": at, "ended": self._clock.now(), "exit": 0, "commands": [shlex.join(self._shell.command(service))],
                "targets": [{"target": target, "exit": 0, "text": f"ended with {code}", "why": "", "changed": True}],
            }
        )  # fmt: skip
        if code in (125, 126, 127, 255) and self._clock.now() - at < 5:
            why = "the connection failed" if code == 255 else "its image has neither bash nor sh, or it stopped"
            raise OperationFailed(f"no shell in {service.ref}: it ended with {code}", why)
        return code

    # words

    def _host(self, host: str) -> HostSettings:
        found = self._settings.hosts.get(host)
        if found is None:
            raise UsageError(f"there is no host {host!r}", "", f"hosts: {', '.join(self._settings.hosts) or 'none'}")
        return found

    def _protected(self, host: str) -> bool:
        return host in self._settings.hosts and self._settings.hosts[host].protected

    def _ssh(self, host: str, command: str) -> str:
        """The command as a person would type it."""
        settings = self._host(host)
        port = f" -p {settings.port}" if settings.port != 22 else ""
        return f"ssh{port} {settings.user}@{settings.hostname} {command}"


def _object(refs: Sequence[str], going: Sequence[Service]) -> str:
    if len(going) == 1:
        return f"{going[0].ref if going[0].project else going[0].name} on {going[0].host}"
    if len(refs) == 1 and refs[0].count("/") == 1:
        return f"{refs[0].partition('/')[2]} on {going[0].host}, {len(going)} services"
    return f"{len(going)} services"


def _joined(targets: Sequence[str]) -> str:
    host, _, rest = targets[0].partition("/")
    return f"{rest} on {host}" if len(targets) == 1 else f"{len(targets)} targets"


def _afterwards(verb: Lifecycle, targets: Sequence[str]) -> tuple[Impact, ...]:
    if verb is Lifecycle.DOWN:
        return tuple(
            Impact("○", t.partition("/")[2], "is gone until U, the next deploy or a reboot; volumes are kept") for t in targets
        )
    if verb is Lifecycle.PULL:
        return (Impact("●", "what runs", "goes on with its image; u takes the new one"),)
    return ()


def _pulled(answer: Mapping[str, object]) -> str:
    images = answer.get("images")
    rows = [i for i in images if isinstance(i, dict)] if isinstance(images, list) else []
    new = [str(i.get("service")) for i in rows if i.get("new") != i.get("old")]
    return f"a newer image for {', '.join(sorted(new))}: u takes it" if new else "nothing newer"


def _span(seconds: float) -> str:
    """`9s`, `4m`, `3h`, `41d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
