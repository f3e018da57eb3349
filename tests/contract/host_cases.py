"""What is asked of a host, simulated or real: the test functions that tests/contract and tests/lab both run."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters.git.repository import GitRepository
from cockpit.adapters.nixos.host import NixosHost
from cockpit.domain import comparing
from cockpit.domain.errors import CockpitError, Locked, Refused, Reverted
from cockpit.domain.hosts import Badge, Result, Verdict
from cockpit.domain.plan import Change
from cockpit.ports import BuildResult, HostEvent

PHASES = ["activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record"]


@dataclass
class Place:
    """A host, its repository, and two changes of that: (file, what stands there, what is to stand there)."""

    folder: Path
    host: NixosHost
    timing: Mapping[str, float]
    good: tuple[str, str, str]
    """Recreates home/homepage with another image."""
    bad: tuple[str, str, str]
    """Breaks the health check of a service."""
    ill: str
    """`project/service` of that."""
    runs: int = 0

    @property
    def repository(self) -> GitRepository:
        return GitRepository(self.folder)

    def git(self, *args: str) -> str:
        argv = ["git", "-C", str(self.folder), "-c", "user.name=eve", "-c", "user.email=eve@example.org", *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def commit(self, change: tuple[str, str, str]) -> str:
        path, old, new = change
        text = (self.folder / path).read_text()
        assert old in text, f"{path} does not say {old!r}"
        (self.folder / path).write_text(text.replace(old, new, 1))
        self.git("commit", "-q", "-a", "-m", f"{path}: {new[:20]}")
        return self.git("rev-parse", "HEAD")

    def new_run(self) -> str:
        self.runs += 1
        return f"case{self.runs:04d}"

    async def prepared(self, commit: str) -> dict[str, Any]:
        """The request of a deploy that was received, built and checked."""
        run = self.new_run()
        await self.host.receive(commit, self.repository.pack(commit, await self.host.haves()))
        *_, built = [item async for item in self.host.build(run, commit)]
        assert isinstance(built, BuildResult)
        return await self.request(run, "deploy", closure=built.closure, commit=commit)

    async def request(self, run: str, kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a request
        asked = {"run": run, "kind": kind, "take": {"host": [], "git": []}}
        check = await self.host.check(asked | {key: more[key] for key in ("closure", "generation") if key in more})
        empty = {"closure": "", "generation": None, "commit": None, "subject": "", "hold": None, "lifts": False}
        who = {"schema": 1, "who": "eve", "origin": "here", "timing": dict(self.timing), "base": check["base"]}
        return asked | who | empty | more

    async def through(self, request: dict[str, Any]) -> list[HostEvent]:
        """A run from its start to its closed record, with both proofs."""
        await self.host.run(request)
        seen = []
        async for event in self.host.watch(request["run"]):
            seen.append(event)
            if event.event == "start" and event.phase in ("reach", "confirm"):
                await self.host.confirm(request["run"], event.phase)
        return seen


async def test_what_runs_is_a_generation_and_whole(place: Place) -> None:
    facts = await place.host.facts()
    newest = facts.generations[0]
    assert newest.closure.path == facts.running.path == facts.profile == facts.boot_default
    assert {Badge.RUNNING, Badge.DEFAULT} <= newest.badges and newest.closure.nixos and newest.closure.kernel
    assert facts.profile_generation == newest.number and facts.stopped == () and facts.holder is None and facts.hold is None
    assert facts.disks and facts.load is not None and len(facts.owned_projects) == 4
    assert any(name.startswith("docker") and state == "active" for name, state, _ in await place.host.units())
    quick = await place.host.facts(deep=False)
    assert quick.running.path == facts.running.path and quick.profile == facts.profile


async def test_a_good_commit_is_kept_and_a_second_time_there_is_nothing_to_do(place: Place) -> None:
    before = await place.host.facts()
    commit = place.commit(place.good)
    request = await place.prepared(commit)
    plan = await place.host.check({key: request[key] for key in ("run", "kind", "closure", "take")})
    changed = {(s["project"], s["service"]): s for s in plan["services"] if s["change"] != "keep"}
    assert {key: (s["change"], s["why"]) for key, s in changed.items()} == {("home", "homepage"): ("recreate", "image")}
    events = await place.through(request)
    assert [event.phase for event in events if event.event == "end"] == PHASES
    assert events[-1].event == "closed" and (events[-1].data["result"], events[-1].data["exit"]) == ("done", 0)
    after = await place.host.facts()
    assert after.running.path == after.profile == after.boot_default == request["closure"]
    assert after.running.commit == commit and after.profile_generation == (before.profile_generation or 0) + 1
    assert after.attempts[0].run == request["run"] and after.attempts[0].result is Result.DONE
    assert await place.host.outcome(request["run"]) == events[-1].data
    again = await place.host.check({key: request[key] for key in ("kind", "closure", "take")} | {"run": place.new_run()})
    assert again["nothing_to_do"] is True
    assert [event async for event in place.host.watch(request["run"], events[3].offset)] == events[4:]


async def test_what_two_systems_consist_of_tells_what_differs(place: Place) -> None:
    old = (await place.host.facts()).running.path
    request = await place.prepared(place.commit(place.good))
    was, now = await place.host.contents(old), await place.host.contents(request["closure"])
    assert (was.closure, now.closure) == (old, request["closure"]) and was.has_cockpit and now.has_cockpit
    (change,) = [c for c in comparing.services(was, now) if c.change is not Change.KEEP]
    assert (change.project, change.service, change.change, change.why) == ("home", "homepage", Change.RECREATE, "image")
    # files of the release are no packages
    assert [p.name for p in comparing.packages(was, now) if p.name.startswith("e-") or p.name == "e"] == []
    assert comparing.services(was, await place.host.contents(old)) == ()


async def test_a_commit_that_fails_its_health_check_goes_back(place: Place) -> None:
    before = await place.host.facts()
    request = await place.prepared(place.commit(place.bad))
    events = await place.through(request)
    outcome = events[-1].data
    assert (outcome["result"], outcome["exit"], outcome["phase"]) == ("reverted", Reverted.exit, "converge")
    assert place.ill in outcome["reason"]
    after = await place.host.facts()
    assert after.running == before.running and after.profile == before.profile and after.boot_default == before.boot_default
    assert after.profile_generation == before.profile_generation and after.stopped == ()
    assert after.attempts[0].result is Result.REVERTED
    with pytest.raises(Refused):
        await place.host.confirm(request["run"], "confirm")


async def test_a_rollback_holds_what_it_leaves(place: Place) -> None:
    await place.through(await place.prepared(place.commit(place.good)))
    before = await place.host.facts()
    target = before.generations[1]
    hold = {"abandoned": [before.running.commit], "why": "it hums"}
    request = await place.request(place.new_run(), "rollback", generation=target.number, commit=target.closure.commit, hold=hold)
    events = await place.through(request)
    assert events[-1].data["result"] == "done"
    after = await place.host.facts()
    assert after.running.path == target.closure.path and after.profile_generation == target.number
    assert after.hold is not None and (after.hold.why, after.hold.abandoned) == ("it hums", (before.running.commit,))
    assert after.generations[0].outcome.verdict is Verdict.ABANDONED


async def test_one_run_at_a_time_and_only_as_planned(place: Place) -> None:
    request = await place.prepared(place.commit(place.good))
    await place.host.run(request)
    assert (holder := (await place.host.facts(deep=False)).holder) is not None and holder.who == "eve"
    with pytest.raises(Locked):
        await place.host.run(request | {"run": place.new_run()})
    async for event in place.host.watch(request["run"]):
        if event.event == "start" and event.phase in ("reach", "confirm"):
            await place.host.confirm(request["run"], event.phase)
    # its record is closed before the last of it has let go of the lock
    async with asyncio.timeout(60):
        while (await place.host.facts(deep=False)).holder is not None:
            pass
    with pytest.raises(Refused):
        await place.host.run(request | {"run": place.new_run()})


async def test_a_run_that_never_was(place: Place) -> None:
    with pytest.raises(CockpitError):
        await place.host.outcome("nothing0")
