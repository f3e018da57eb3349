"""One simulated NixOS host: its generations, its attempts, and the verbs of cockpit-transaction (docs/host-protocol.md)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.simulator.containers import Containers
from cockpit.simulator.release import NotBuilt, Release, files_of, read
from cockpit.simulator.repository import environment

_SHA = re.compile(r"[0-9a-f]{40}")
_RUN = re.compile(r"[0-9a-z]{1,16}")


class Failure(Exception):
    """A verb that fails: what stands in its answer."""

    def __init__(self, exit_: int, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.exit = exit_
        self.data = {"error": {"exit": exit_, "what": what, "why": why, "hint": hint}}


class Generation(Struct, frozen=True):
    number: int
    closure: str
    created: float


@dataclass
class Attempt:
    seq: int
    run: str
    intent: dict[str, Any]
    decision: str | None = None
    outcome: dict[str, Any] | None = None

    @property
    def folder(self) -> str:
        return f"{self.seq:06d}-{self.run}"


@dataclass
class Events:
    """The file of a run's events, and who waits for more of it."""

    data: bytearray = field(default_factory=bytearray)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


@dataclass
class Host:
    """`folder` holds its bare repository; `pace` stretches every delay: 1 for people, less for tests."""

    name: str
    folder: Path
    containers: Containers
    pace: float = 1.0
    releases: dict[str, Release] = field(default_factory=dict)
    generations: list[Generation] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    running: str = ""
    profile: str = ""
    boot_default: str = ""
    booted: str = ""
    booted_at: float = field(default_factory=lambda: time.time() - 17 * 86400)
    events: dict[str, Events] = field(default_factory=dict)
    proofs: set[str] = field(default_factory=set)
    awaiting: set[str] = field(default_factory=set)
    """Runs that came as far as their confirmation."""
    proven: asyncio.Event = field(default_factory=asyncio.Event)
    active: Attempt | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    journal: list[tuple[float, str, str]] = field(default_factory=list)
    """(when, unit, text)."""

    @property
    def repository(self) -> Path:
        return self.folder / "repo.git"

    @property
    def release(self) -> Release:
        return self.releases[self.running]

    @property
    def generation(self) -> int | None:
        return next((g.number for g in reversed(self.generations) if g.closure == self.profile), None)

    @property
    def base(self) -> str:
        state = [self.running, self.profile, self.boot_default, *self.containers.stopped(self.release)]
        return hashlib.sha256("\0".join(state).encode()).hexdigest()[:16]

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    def say(self, unit: str, text: str) -> None:
        self.journal.append((time.time(), unit, text))
        del self.journal[:-2000]

    # ---- reading ---------------------------------------------------------------------------------------------------------------

    def haves(self) -> list[str]:
        done = _git(self.repository, "for-each-ref", "--format=%(objectname)", "refs/cockpit/")
        return done.stdout.decode().split()

    def state(self, run: str | None) -> dict[str, Any]:
        if run is None:
            return {"attempts": [_told(a, self.active) for a in self.attempts], "haves": self.haves()}
        found = [a for a in self.attempts if a.run.startswith(run)]
        if len(found) != 1:
            raise Failure(9, f"{self.name} knows no run {run}", "nothing happened there" if not found else "several begin so")
        return _told(found[0], self.active)

    # ---- preparing -------------------------------------------------------------------------------------------------------------

    async def receive(self, commit: str, pack: AsyncIterator[bytes]) -> dict[str, Any]:
        if not _SHA.fullmatch(commit):
            raise Failure(2, f"{commit!r} is no commit")
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(self.repository), "index-pack", "--stdin", "--fix-thin",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it was asked for
        try:
            async for chunk in pack:
                process.stdin.write(chunk)
                await process.stdin.drain()
        except (BrokenPipeError, ConnectionError):
            pass  # git says why
        process.stdin.close()
        _, err = await process.communicate()
        known = await asyncio.to_thread(_git, self.repository, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        if process.returncode != 0 or known.returncode != 0:
            raise Failure(4, "the commit could not be received", err.decode("utf-8", "replace").strip()[-200:], "deploy again")
        await asyncio.to_thread(_git, self.repository, "update-ref", f"refs/cockpit/{commit}", commit)
        return {"commit": commit}

    async def build(self, commit: str, attribute: str, tell: Callable[[str], None]) -> dict[str, Any]:
        started = time.monotonic()
        try:
            files = await asyncio.to_thread(files_of, self.repository, commit)
            release = await asyncio.to_thread(read, files, attribute, commit)
        except NotBuilt as error:
            tell(str(error))
            raise Failure(
                4, f"{commit[:7]} cannot be built for {self.name}", str(error), "mend the commit and deploy again"
            ) from None
        if release.closure not in self.releases:
            before = set(self.release.paths)
            new = [path for path in release.paths if path not in before]
            tell(f"these {len(new) + 2} derivations will be built (simulated):")
            for path in new:
                await self.pause(1.5 / max(1, len(new)))
                tell(f"building '{path}.drv'...")
            self.releases[release.closure] = release
        return {"closure": release.closure, "seconds": round(time.monotonic() - started, 2)}

    def target(self, request: dict[str, Any]) -> tuple[Release, int | None]:
        number = request.get("generation")
        if number is not None:
            found = next((g for g in self.generations if g.number == number), None)
            if found is None:
                raise Failure(9, f"{self.name} has no generation {number}", "", "cockpit status names those that it keeps")
            return self.releases[found.closure], found.number
        release = self.releases.get(str(request.get("closure")))
        if release is None:
            raise Failure(9, "what is to run was never built here", str(request.get("closure")), "deploy again")
        return release, None

    def check(self, request: dict[str, Any]) -> dict[str, Any]:
        new, number = self.target(request)
        old = self.release
        same = new.closure == self.running == self.profile == self.boot_default and not self.containers.stopped(new)
        reboot = [self.releases[self.booted].kernel, new.kernel]
        secrets = []
        for key in sorted(new.secrets.keys() | old.secrets.keys()):
            was, now = old.secrets.get(key), new.secrets.get(key)
            if was != now:
                change = "new" if was is None else "removed" if now is None else "changed"
                secrets.append({"project": key[0], "name": key[1], "change": change})
        warnings = [] if same else [f"{self.name} is simulated: nothing outside this demo changes"]
        return {
            "schema": 1,
            "base": self.base,
            "old": {"closure": old.closure, "generation": self.generation, "commit": old.commit},
            "new": {"closure": new.closure, "generation": number, "commit": new.commit},
            "units": {"stop": [], "restart": _restarted(old, new), "reload": [] if same else ["dbus.service"], "start": []},
            "reboot": reboot if reboot[0] != reboot[1] else None,
            "inhibitors": [],
            "services": [] if same else self.containers.changes(new, old),
            "secrets": secrets,
            "warnings": warnings,
            "problems": [],
            "nothing_to_do": same,
        }

    # ---- changing --------------------------------------------------------------------------------------------------------------

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        from cockpit.simulator.transaction import transact

        run = str(request.get("run", ""))
        if not _RUN.fullmatch(run) or any(a.run == run for a in self.attempts):
            raise Failure(2, f"{run!r} is no new run id")
        if self.active is not None:
            intent = self.active.intent
            raise Failure(
                7,
                f"{self.name} is held by {intent['who']}",
                f"{intent['kind']} {self.active.run}",
                f"cockpit attach {self.active.run}",
            )
        if request.get("base") != self.base:
            raise Failure(9, f"{self.name} has changed since the plan", "", "plan again")
        if request.get("kind") == "resume":
            new, number = self.release, self.generation
        else:
            new, number = self.target(request)
        attempt = self.open(request, new, number)
        self.active = attempt
        self.proofs.clear()
        self.events[run] = Events()
        task = asyncio.ensure_future(transact(self, attempt, new))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return {"run": run, "seq": attempt.seq}

    def open(self, request: dict[str, Any], new: Release, number: int | None, started: float | None = None) -> Attempt:
        """Writes an attempt down; nothing has changed yet."""
        old = self.release
        intent = dict(request) | {
            "seq": len(self.attempts) + 1,
            "started": time.time() if started is None else started,
            "old": {"closure": old.closure, "generation": self.generation, "commit": old.commit},
            "new": {"closure": new.closure, "generation": number, "commit": new.commit},
            "boot_default": self.boot_default,
            "failed_units": [],
            "previous_health": {"healthy": not self.containers.stopped(old), "why": ", ".join(self.containers.stopped(old))},
            "projects": {"old": list(old.projects), "new": list(new.projects)},
        }
        attempt = Attempt(len(self.attempts) + 1, str(request["run"]), intent)
        self.attempts.append(attempt)
        return attempt

    def confirm(self, run: str, proof: str) -> dict[str, Any]:
        attempt = next((a for a in self.attempts if a.run == run), None)
        if attempt is None or proof not in ("reach", "confirm"):
            raise Failure(9, f"{self.name} knows no run {run}")
        if proof == "confirm" and run not in self.awaiting:
            raise Failure(9, f"run {run} does not wait for a confirmation")
        if attempt.decision == "reverted" or attempt.outcome is not None:
            raise Failure(5, "it came too late", f"{attempt.decision or 'closed'}")
        self.proofs.add(proof)
        self.proven.set()
        if proof == "confirm":
            attempt.decision = "confirmed"
            return {"decision": "confirmed"}
        return {"run": run, "proof": proof}

    def switch(self, release: Release, number: int | None) -> int:
        """Profile and boot loader; the generation's number."""
        if number is None:
            newest = self.generations[-1] if self.generations else None
            if newest is not None and newest.closure == release.closure:
                number = newest.number
            else:
                number = newest.number + 1 if newest is not None else 1
                self.generations.append(Generation(number, release.closure, time.time()))
        self.profile = self.boot_default = release.closure
        del self.generations[:-15]
        return number

    async def tell(self, run: str, event: str, phase: str, text: str = "", **more: object) -> None:
        events = self.events[run]
        line = {"t": round(time.time(), 3), "event": event, "phase": phase, "text": text, **more}
        events.data += json.dumps(line).encode() + b"\n"
        async with events.changed:
            events.changed.notify_all()

    async def watch(self, run: str, offset: int) -> AsyncIterator[bytes]:
        """The events from a byte on, as `tail -F` prints them; an empty line now and then."""
        for _ in range(100):
            if run in self.events:
                break
            await asyncio.sleep(0.1)
        else:
            return
        events = self.events[run]
        while True:
            if offset < len(events.data):
                data = bytes(events.data[offset:])
                offset += len(data)
                yield data
                continue
            try:
                async with asyncio.timeout(10), events.changed:
                    if offset >= len(events.data):
                        await events.changed.wait()
            except TimeoutError:
                yield b"\n"

    async def off(self) -> None:
        """Everything stops where it is. A transaction that was at work is reverted: the host boots what it booted before."""
        active = self.active
        for work in (tasks := list(self.tasks)):
            work.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if active is not None:
            from cockpit.simulator.transaction import lost

            lost(self, active)
        for container in self.containers.all:
            self.containers.stop(container, code=137, action="kill")

    def on(self) -> None:
        self.running = self.booted = self.boot_default
        self.booted_at = time.time()
        self.say("sshd.service", "Server listening on 0.0.0.0 port 22 (simulated).")
        self.containers.apply(self.release, self.release)

    async def close(self) -> None:
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.containers.close()


def _git(repository: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603
        ("git", "-C", str(repository), *args),  # noqa: S607
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(),
    )


def _told(attempt: Attempt, active: Attempt | None) -> dict[str, Any]:
    return {
        "seq": attempt.seq, "run": attempt.run, "intent": attempt.intent, "decision": attempt.decision, "abandoned": None,
        "outcome": attempt.outcome, "active": attempt is active,
    }  # fmt: skip


def _restarted(old: Release, new: Release) -> list[str]:
    """Units of packages that differ."""
    if old.closure == new.closure:
        return []
    before = {path.partition("-")[2] for path in old.paths}
    words = ("docker", "openssh", "tailscale", "systemd")
    changed = [path.partition("-")[2] for path in new.paths if path.partition("-")[2] not in before]
    units = {
        "docker": "docker.service",
        "openssh": "sshd.service",
        "tailscale": "tailscaled.service",
        "systemd": "systemd-journald.service",
    }
    return sorted(units[word] for word in words if any(name.startswith(f"{word}-") for name in changed))
