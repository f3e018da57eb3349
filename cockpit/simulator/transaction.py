"""A transaction's phases on a simulated host: the same words and the same record as nix/programs/phases.sh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cockpit.simulator.host import Attempt, Host
from cockpit.simulator.release import Release

SWITCH = "nixos-rebuild-switch-to-configuration.service"


class Failed(Exception):
    """A phase that did not succeed: the host goes back."""


async def transact(host: Host, attempt: Attempt, new: Release) -> None:
    work = _Transaction(host, attempt, new)
    try:
        await work.all()
    finally:
        host.active = None


class _Transaction:
    def __init__(self, host: Host, attempt: Attempt, new: Release) -> None:
        self.host, self.attempt, self.new = host, attempt, new
        self.old = host.release
        timing = attempt.intent.get("timing") or {}
        self.wait = float(timing.get("wait") or 120)
        self.deadline = time.monotonic() + float(timing.get("revert_after") or 300)
        self.timings: list[list[Any]] = []
        self.phase = ""

    @property
    def left(self) -> float:
        return round(max(0.0, self.deadline - time.monotonic()), 1)

    async def tell(self, event: str, text: str = "", **more: object) -> None:
        await self.host.tell(self.attempt.run, event, self.phase, text, **more)

    async def all(self) -> None:
        if self.attempt.intent.get("kind") == "resume":
            self.phase = "record"
            self.attempt.decision = "confirmed"
            await self.tell("start", "the record", left=self.left)
            await self.tell("end", seconds=0.01)
            await self.close("done", 0, "", self.host.generation)
            return
        number: int | None = None

        async def profile() -> None:
            nonlocal number
            number = self.host.switch(self.new, self.attempt.intent["new"]["generation"])

        phases: tuple[tuple[str, str, Callable[[], Awaitable[None]]], ...] = (
            ("activate", "switch-to-configuration test (simulated)", self.activate),
            ("reach", "can the host still be reached?", self.reach),
            ("converge", f"{len(self.new.projects)} projects", self.converge),
            ("verify", "does it stay well?", self.verify),
            ("confirm", "the controller's confirmation", self.confirm),
            ("decide", "", self.decide),
            ("profile", "the system profile", profile),
            ("boot", "the boot loader", self.boot),
        )
        try:
            for name, text, work in phases:
                await self.one(name, text, work)
        except Failed as error:
            await self.revert(str(error))
            return
        self.phase = "record"
        await self.tell("start", "the record", left=self.left)
        self.host.say(SWITCH, f"run {self.attempt.run} is done: generation {number} runs")
        await self.tell("end", seconds=0.01)
        await self.close("done", 0, "", number)

    async def one(self, name: str, text: str, work: Callable[[], Awaitable[None]]) -> None:
        self.phase = name
        started = time.monotonic()
        await self.tell("start", text, left=self.left)
        await work()
        took = round(time.monotonic() - started, 2)
        self.timings.append([name, took])
        await self.tell("end", seconds=took)

    async def activate(self) -> None:
        self.host.say(SWITCH, f"activating {self.new.closure}")
        await self.tell("output", "activating the configuration...")
        await self.host.pause(0.4)
        await self.tell("output", "setting up /etc...")
        await self.host.pause(0.3)
        self.host.running = self.new.closure
        await self.tell("output", "the following units were reloaded: dbus.service")

    async def reach(self) -> None:
        await self.tell("wait", "a new connection from the controller", left=self.left)
        await self.proof("reach", "no new connection reached the host before the deadline")

    async def proof(self, name: str, otherwise: str) -> None:
        while name not in self.host.proofs:
            self.host.proven.clear()
            try:
                async with asyncio.timeout(max(0.0, self.deadline - time.monotonic())):
                    await self.host.proven.wait()
            except TimeoutError:
                raise Failed(otherwise) from None

    async def converge(self) -> None:
        changes = self.host.containers.changes(self.new, self.old)
        self.host.containers.apply(self.new, self.old)
        for change in changes:
            await self.tell("output", f"Container {change['project']}-{change['service']}-1  {change['change']}")
        asked = [f"{c['project']}/{c['service']}" for c in changes if c["change"] != "remove"]
        if asked:
            await self.tell("wait", f"{', '.join(asked)}: health check", left=min(self.wait, self.left))
            await self.host.pause(2.0)
        ill = [spec.ill for spec in self.new.services if spec.ill]
        if ill:
            raise Failed("; ".join(ill))

    async def verify(self) -> None:
        stable = min(2.0, float((self.attempt.intent.get("timing") or {}).get("stable") or 2.0))
        await self.tell("wait", f"{stable:.0f}s without a restart", left=stable)
        await self.host.pause(stable)
        if stopped := self.host.containers.stopped(self.new):
            raise Failed(f"not there: {', '.join(stopped)}")

    async def confirm(self) -> None:
        self.host.awaiting.add(self.attempt.run)
        await self.tell("wait", "the controller's confirmation, by a new connection", left=self.left)
        await self.proof("confirm", "no confirmation before the deadline")

    async def decide(self) -> None:
        self.attempt.decision = "confirmed"
        await self.tell("decided", "confirmed")

    async def boot(self) -> None:
        await self.host.pause(0.3)

    async def revert(self, why: str) -> None:
        failed = self.phase
        self.attempt.decision = "reverted"
        self.phase = "revert"
        self.host.say(SWITCH, f"{failed} failed: {why}; going back to {self.old.closure}")
        await self.tell("start", why, left=60.0)
        self.host.running = self.old.closure
        self.host.containers.apply(self.old, self.new)
        await self.host.pause(1.0)
        self.phase = failed
        await self.close("reverted", 5, why, self.host.generation)

    async def close(self, result: str, code: int, reason: str, number: int | None) -> None:
        host, intent = self.host, self.attempt.intent
        self.attempt.outcome = outcome(
            self.attempt, result, code, self.phase if code else None, reason, number, host.running, self.timings
        )
        host.active = None  # the lock is free before anybody hears that it is
        await host.tell(str(intent["run"]), "closed", self.phase, reason, data=self.attempt.outcome)


def lost(host: Host, attempt: Attempt) -> None:
    """The host went off in the middle: its boot loader decides, and that still says what it said before, or already the new."""
    kept = attempt.decision == "confirmed" and host.boot_default == attempt.intent["new"]["closure"]
    if not kept:
        attempt.decision = "reverted"
        host.profile = host.boot_default = attempt.intent["boot_default"]
    result, code, why = ("done", 0, "") if kept else ("reverted", 5, "the host was switched off")
    phase = None if kept else "activate"
    attempt.outcome = outcome(attempt, result, code, phase, why, host.generation, host.boot_default, [])
    host.active = None


def outcome(
    attempt: Attempt, result: str, code: int, phase: str | None, reason: str, number: int | None, closure: str,
    timings: list[list[Any]], ended: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """outcome.json of a closed attempt."""
    intent, ended = attempt.intent, time.time() if ended is None else ended
    hold = None
    if result == "done" and intent.get("kind") == "rollback" and intent.get("hold"):
        asked = intent["hold"]
        hold = {"abandoned": asked.get("abandoned") or [], "why": asked.get("why") or "", "by": intent.get("who"), "at": ended}
    return {
        "schema": 1, "run": attempt.run, "seq": attempt.seq, "result": result, "exit": code, "phase": phase, "reason": reason,
        "hint": "", "generation": number, "closure": closure, "ended": ended, "timings": timings, "hold": hold,
    }  # fmt: skip
