"""A host and a clock in memory (tests.unit.fakes has the rest of the homelab)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from cockpit.domain.containers import Lifecycle
from cockpit.domain.contents import Contents
from cockpit.domain.errors import CockpitError, Locked, Refused, Reverted, Unreachable
from cockpit.domain.events import PHASES
from cockpit.domain.hosts import (
    Attempt,
    AttemptKind,
    Badge,
    Closure,
    Disk,
    Generation,
    GenerationOutcome,
    Hold,
    Holder,
    HostFacts,
    Manifest,
    ManifestProject,
    Result,
    Verdict,
)
from cockpit.domain.plan import PackageChange, ServiceChange
from cockpit.domain.settings import HostSettings
from cockpit.ports import BuildResult, HostEvent
from tests.unit.fake_clock import START, FakeClock


@dataclass
class Trouble:
    """What goes wrong on a host, and when. Everything is fine by default."""

    fail_in: str | None = None
    """A phase of the transaction that fails; the host reverts."""
    revert_fails: bool = False
    build: CockpitError | None = None
    receive: CockpitError | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    inhibitors: list[str] = field(default_factory=list)
    unreachable: bool = False
    """No call gets through; what was begun goes on."""
    refuse_confirms: int = 0
    """So many new connections fail before one gets through."""
    drop_after: list[int] = field(default_factory=list)
    """The connection is lost after so many events of one watch; once each."""
    lose_run: str = ""
    """The connection is lost while the transaction is started: `before` or `after` it took the lock."""
    hang: bool = False
    """The supervisor stops for ever after activation."""


class FakeHost:
    """Keeps what a real one keeps on disk, and runs transactions as a background task."""

    def __init__(self, settings: HostSettings, clock: FakeClock, first: int = 141, commit: str | None = None) -> None:
        self._settings = settings
        self.clock = clock
        self.trouble = Trouble()
        self.forbidden: set[str] = set()
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.closures: dict[str, Closure] = {}
        self.generations: list[Generation] = []
        self.objects: set[str] = set()
        self.attempts: list[Attempt] = []
        self.events: dict[str, list[HostEvent]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.hold: Hold | None = None
        self.holder: Holder | None = None
        self.stopped: tuple[str, ...] = ()
        self.failed_units: tuple[str, ...] = ()
        self.test_only: str | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.proofs: set[str] = set()
        self.changed = asyncio.Event()
        self.wants: list[ServiceChange] = []
        """What `up` would do."""
        self.composed: list[tuple[Lifecycle, str, str, dict[str, Any]]] = []
        self.on_compose: Callable[[Lifecycle, str, str], None] = lambda verb, project, service: None
        self.lose_compose: CockpitError | None = None
        self.answer: dict[str, Any] = {}
        self.consists: Contents | None = None
        self.stored: dict[str, Contents] = {}
        """By closure."""
        self.running = self.profile = self.boot_default = ""
        self.add_generation(first, commit)

    @property
    def settings(self) -> HostSettings:
        return self._settings

    async def contents(self, closure: str | None = None) -> Contents:
        self._call("contents")
        if closure is not None:
            return self.stored[closure]
        assert self.consists is not None, "nobody said what it consists of"
        return self.consists

    async def compose_plan(self, project: str) -> tuple[ServiceChange, ...]:
        self._call("compose_plan")
        return tuple(c for c in self.wants if c.project == project)

    async def compose(
        self, verb: Lifecycle, project: str, service: str, request: dict[str, Any]
    ) -> AsyncIterator[str | dict[str, Any]]:
        self._call("compose")
        self.composed.append((verb, project, service, request))
        yield f"docker compose {verb.value}"
        self.on_compose(verb, project, service)
        if self.lose_compose is not None:
            raise self.lose_compose
        yield self.answer

    def add_generation(self, number: int, commit: str | None, verdict: Verdict = Verdict.GOOD, run: bool = True) -> Generation:
        """A generation that was switched to some time ago."""
        closure = self.closure(commit, f"g{number}")
        generation = Generation(
            number, closure, START - (200 - number) * 3600, outcome=GenerationOutcome(verdict, 7200.0), by="ada"
        )
        self.generations.insert(0, generation)
        if commit is not None:
            self.objects.add(commit)
        if run:
            self.running = self.profile = self.boot_default = closure.path
        return generation

    def closure(self, commit: str | None, tag: str = "") -> Closure:
        name = commit[:7] if commit else tag
        path = f"/nix/store/{name}-nixos-system-{self._settings.name}"
        return self.closures.setdefault(path, Closure(path, commit, None, "26.05", "6.12.58", has_cockpit=True))

    @property
    def base(self) -> str:
        return f"{self.running}|{self.profile}|{self.boot_default}|{','.join(self.stopped)}"

    def _call(self, name: str) -> None:
        assert name not in self.forbidden, f"unexpected call of {name}"
        self.calls.append(name)
        if self.trouble.unreachable:
            raise Unreachable(f"{self._settings.name} does not answer", "timed out", "is it on?")

    async def facts(self, *, deep: bool = True) -> HostFacts:
        self._call("facts")
        await asyncio.sleep(0)
        running = self.closures[self.running]
        generations = []
        for generation in self.generations:
            badges = set()
            if generation.closure.path == self.running and self.running != self.test_only:
                badges.add(Badge.RUNNING)
            if generation.closure.path == self.boot_default:
                badges.add(Badge.DEFAULT)
            if self.hold is not None and generation.number == self.hold.generation:
                badges.add(Badge.HELD)
            generations.append(replace(generation, badges=frozenset(badges)))
        if self.running == self.test_only:
            generations.insert(0, Generation(None, running, None, frozenset({Badge.RUNNING, Badge.TEST_ONLY})))
        number = next((g.number for g in self.generations if g.closure.path == self.profile), None)
        projects = tuple(ManifestProject(p, f"/var/lib/cockpit/projects/{p}", ("web",)) for p in self._settings.projects)
        return HostFacts(
            name=self._settings.name,
            read_at=self.clock.now(),
            host_time=self.clock.now(),
            running=running,
            booted=self.generations[-1].closure.path,
            boot_default=self.boot_default,
            profile=self.profile,
            profile_generation=number,
            generations=tuple(generations) if deep else tuple(generations[:1]),
            failed_units=self.failed_units if deep else (),
            disks=(Disk("/", 40_000_000_000, 100_000_000_000), Disk("/boot", 100_000_000, 500_000_000)) if deep else (),
            load=0.3,
            uptime=86_400.0,
            attempts=tuple(self.attempts),
            hold=self.hold,
            holder=self.holder,
            owned_projects=self._settings.projects,
            manifest=Manifest(running.commit, self._settings.name, 15, projects),
            stopped=self.stopped,
        )

    async def haves(self) -> tuple[str, ...]:
        self._call("haves")
        return tuple(sorted(self.objects))

    async def receive(self, commit: str, pack: AsyncIterator[bytes]) -> None:
        self._call("receive")
        data = b"".join([chunk async for chunk in pack])
        assert commit.encode() in data
        if self.trouble.receive is not None:
            raise self.trouble.receive
        self.objects.add(commit)

    async def build(self, run: str, commit: str) -> AsyncIterator[str | BuildResult]:
        self._call("build")
        assert commit in self.objects, f"{commit[:7]} was never received"
        yield "building '/nix/store/x.drv'..."
        if self.trouble.build is not None:
            raise self.trouble.build
        await asyncio.sleep(0)
        yield BuildResult(self.closure(commit).path, 3.2)

    async def check(self, request: dict[str, Any]) -> dict[str, Any]:
        self._call("check")
        target = self._target(request)
        same = target.path == self.running == self.profile == self.boot_default and not self.stopped
        services = (
            []
            if same
            else [{"project": p, "service": "web", "change": "recreate", "why": "image"} for p in self._settings.projects]
        )
        return {
            "schema": 1,
            "base": self.base,
            "old": {
                "closure": self.running,
                "generation": self.generations[0].number,
                "commit": self.closures[self.running].commit,
            },
            "new": {"closure": target.path, "generation": request.get("generation"), "commit": target.commit},
            "units": {"stop": [], "restart": [] if same else ["nginx.service"], "reload": [], "start": []},
            "reboot": None,
            "inhibitors": self.trouble.inhibitors,
            "services": services,
            "secrets": [],
            "warnings": [],
            "problems": self.trouble.problems,
            "nothing_to_do": same,
        }

    def _target(self, request: dict[str, Any]) -> Closure:
        if request.get("generation") is not None:
            found = [g.closure for g in self.generations if g.number == request["generation"]]
            assert found, f"there is no generation {request['generation']}"
            return found[0]
        assert request["closure"] in self.closures, f"{request['closure']} was never built"
        return self.closures[request["closure"]]

    async def run(self, request: dict[str, Any]) -> None:
        self._call("run")
        await asyncio.sleep(0)
        if self.trouble.lose_run == "before":
            self.trouble.lose_run = ""
            raise Unreachable("connection reset")
        if self.holder is not None:
            raise Locked(f"{self._settings.name} is held by {self.holder.who}")
        if request["base"] != self.base:
            raise Refused(f"{self._settings.name} has changed since the plan", "", "plan again")
        self.requests.append(request)
        old, new = self.closures[self.running], self._target(request)
        self.holder = Holder(request["run"], request["who"], request["origin"], self.clock.now(), request["kind"])
        attempt = Attempt(
            seq=len(self.attempts) + 1, run=request["run"], host=self._settings.name, kind=AttemptKind(request["kind"]),
            who=request["who"], origin=request["origin"], started=self.clock.now(), commit=request["commit"],
            subject=request["subject"], old_closure=old.path, old_generation=self.generations[0].number, old_commit=old.commit,
            new_closure=new.path, new_generation=request["generation"], result=Result.OPEN,
        )  # fmt: skip
        self.attempts.insert(0, attempt)
        self.events[attempt.run] = []
        self.proofs.clear()
        self.tasks.append(asyncio.create_task(self._transaction(request, new)))
        if self.trouble.lose_run == "after":
            self.trouble.lose_run = ""
            raise Unreachable("connection reset")

    async def confirm(self, run: str, proof: str) -> None:
        self._call(f"confirm {proof}")
        await asyncio.sleep(0)
        assert proof in ("reach", "confirm")
        if self.trouble.refuse_confirms:
            self.trouble.refuse_confirms -= 1
            raise Unreachable("no route to host")
        if run in self.records:
            raise Reverted("it came too late")
        self.proofs.add(proof)

    async def watch(self, run: str, offset: int = 0) -> AsyncIterator[HostEvent]:
        self._call("watch")
        limit = self.trouble.drop_after.pop(0) if self.trouble.drop_after else None
        seen = 0
        while True:
            for event in self.events[run][offset // 100 :]:
                if self.trouble.unreachable or (limit is not None and seen >= limit):
                    raise Unreachable("connection lost")
                seen += 1
                offset = event.offset
                yield event
                if event.event == "closed":
                    return
            if self.trouble.unreachable:
                raise Unreachable("connection lost")
            changed = self.changed
            if offset // 100 >= len(self.events[run]):
                await changed.wait()

    async def outcome(self, run: str) -> dict[str, Any] | None:
        self._call("outcome")
        found = [a.run for a in self.attempts if a.run.startswith(run)]
        if not found:
            raise Refused(f"{self._settings.name} knows no run {run}", "nothing happened there")
        return self.records.get(found[0])

    async def recover(self) -> None:
        self._call("recover")
        for attempt in self.attempts:
            if attempt.result is Result.OPEN:
                self.events.setdefault(attempt.run, [])
                self._close(attempt.run, "reverted", "recover", "the supervisor was gone")

    async def diff(self, old: str, new: str) -> tuple[PackageChange, ...]:
        self._call("diff")
        return (PackageChange("openssl", "3.0.1", "3.0.2"),) if old != new else ()

    async def units(self) -> tuple[tuple[str, str, str], ...]:
        self._call("units")
        return (*((u, "failed", "") for u in self.failed_units), ("sshd.service", "active", "SSH Daemon"))

    async def journal(self, unit: str | None = None, lines: int = 200) -> tuple[str, ...]:
        self._call("journal")
        return (f"Nov 23 09:00:00 {self._settings.name} systemd[1]: Started {unit or 'everything'}.",)

    async def close(self) -> None:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.wake()

    def emit(self, run: str, event: str, **fields: Any) -> None:  # noqa: ANN401
        log = self.events[run]
        log.append(HostEvent(offset=(len(log) + 1) * 100, time=self.clock.now(), event=event, **fields))
        self.wake()

    def wake(self) -> None:
        """For a test that changes `trouble` while somebody watches."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _transaction(self, request: dict[str, Any], new: Closure) -> None:
        run = request["run"]
        old = self.running
        if request["kind"] == "resume":
            self.hold = None
            self._close(run, "done", "record", "")
            return
        for phase in PHASES:
            self.emit(run, "start", phase=phase, left=float(request["timing"]["revert_after"]))
            await asyncio.sleep(0)
            if phase == "activate":
                self.running = new.path
                self.emit(run, "output", phase=phase, text="activating the configuration...")
                if self.trouble.hang:
                    await asyncio.Event().wait()
            if phase in ("reach", "confirm"):
                for _ in range(200):
                    if phase in self.proofs:
                        break
                    await asyncio.sleep(0)
                else:
                    self._revert(run, old, phase, "nobody proved that the host can be reached")
                    return
            if phase == "converge":
                self.emit(run, "wait", phase=phase, text="web: health check", left=20.0)
            if self.trouble.fail_in == phase:
                self._revert(run, old, phase, f"{phase} did not succeed")
                return
            self.emit(run, "end", phase=phase, seconds=0.5)
        self.profile = self.boot_default = new.path
        number = request["generation"]
        if number is None:
            number = (self.generations[0].number or 0) + 1
            if self.generations[0].closure.path != new.path:
                self.generations.insert(0, Generation(number, new, self.clock.now(), by=request["who"]))
            else:
                number = self.generations[0].number
        self.stopped = ()
        hold = request["hold"]
        self.hold = Hold(run, tuple(hold["abandoned"]), request["who"], self.clock.now(), number, hold["why"]) if hold else None
        self._close(run, "done", "record", "", number)

    def _revert(self, run: str, old: str, phase: str, why: str) -> None:
        self.emit(run, "start", phase="revert", text=why, left=60.0)
        if self.trouble.revert_fails:
            self.holder = None
            self.emit(run, "closed", data={"result": "revert-failed", "exit": 6, "reason": "both are broken"})
            return
        self.running = old
        self._close(run, "reverted", phase, why)

    def _close(self, run: str, result: str, phase: str, reason: str, generation: int | None = None) -> None:
        exits = {"done": 0, "reverted": 5}
        record = {"schema": 1, "run": run, "result": result, "exit": exits[result], "phase": phase, "reason": reason,
                  "generation": generation, "closure": self.running}  # fmt: skip
        self.records[run] = record
        self.holder = None
        self.attempts = [
            replace(
                a,
                result=Result(result),
                phase=phase,
                reason=reason,
                ended=self.clock.now(),
                generation=generation,
                hold=self.hold,
            )
            if a.run == run
            else a
            for a in self.attempts
        ]
        self.emit(run, "closed", data=record)
