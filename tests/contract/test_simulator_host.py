"""The simulated hosts, through the adapters that real hosts are read and changed by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.sops.store import SopsStore
from cockpit.adapters.ssh import SshConnection
from cockpit.config import load_user
from cockpit.domain.errors import BuildFailed, CockpitError, HostKeyMismatch, Locked, Refused, Reverted, Unreachable
from cockpit.domain.hosts import Badge, HostFacts, Result, Verdict
from cockpit.domain.settings import HostSettings
from cockpit.ports import BuildResult, HostEvent
from tests.contract.simulated import Simulated, simulated

TIMING = {"wait": 20, "stable": 2, "revert_after": 30}


@pytest.fixture(scope="module")
def lasting() -> Iterator[Simulated]:
    """For tests that only read."""
    with simulated() as world:
        yield world


@pytest.fixture
def fresh() -> Iterator[Simulated]:
    with simulated() as world:
        yield world


@dataclass
class Homelab:
    world: Simulated
    ssh: SshConnection
    host: NixosHost

    async def ready(self, run: str, revision: str) -> tuple[str, dict[str, Any]]:
        """(closure, request) of a commit that was received, built and checked."""
        commit = (await self.world.repository.resolve(revision)).sha
        await self.host.receive(commit, self.world.repository.pack(commit, await self.host.haves()))
        built = [item async for item in self.host.build(run, commit) if isinstance(item, BuildResult)]
        check = await self.host.check(
            {"run": run, "kind": "deploy", "closure": built[0].closure, "take": {"host": [], "git": []}}
        )
        return built[0].closure, self.request(run, "deploy", check, closure=built[0].closure, commit=commit)

    def request(self, run: str, kind: str, check: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
        empty = {"closure": "", "generation": None, "commit": None, "subject": "", "hold": None, "lifts": False}
        who = {"schema": 1, "run": run, "kind": kind, "who": "eve", "origin": "here", "timing": TIMING}
        return who | empty | {"base": check["base"], "take": {"host": [], "git": []}} | more

    async def through(self, request: dict[str, Any]) -> list[HostEvent]:
        """A run from its start to the closed record, with both proofs."""
        await self.host.run(request)
        seen = []
        async for event in self.host.watch(request["run"]):
            seen.append(event)
            if event.event == "start" and event.phase in ("reach", "confirm"):
                await self.host.confirm(request["run"], event.phase)
        return seen


@pytest.fixture
async def homelab(fresh: Simulated) -> AsyncGenerator[Homelab, None]:
    ssh = fresh.ssh("homelab")
    yield Homelab(fresh, ssh, fresh.host("homelab", ssh))
    await ssh.close()
    assert fresh.log == ""


async def facts(world: Simulated, name: str) -> HostFacts:
    ssh = world.ssh(name)
    try:
        return await world.host(name, ssh).facts()
    finally:
        await ssh.close()


async def test_hosts_have_generations_and_a_past(lasting: Simulated) -> None:
    homelab, nas = await facts(lasting, "homelab"), await facts(lasting, "nas")
    for host in (homelab, nas):
        newest, *older = host.generations
        assert {Badge.RUNNING, Badge.DEFAULT} <= newest.badges
        assert newest.closure.nixos is not None and newest.closure.nixos.endswith(".simulated")
        assert Badge.DIRTY in older[-1].badges and older[-1].outcome.verdict is Verdict.BY_HAND
        assert host.stopped == () and host.failed_units == () and host.hold is None and host.disks
    assert len(homelab.generations) == 13 and len(nas.generations) == 4
    assert Verdict.ABANDONED in {g.outcome.verdict for g in homelab.generations}
    assert Result.REVERTED in {a.result for a in homelab.attempts}
    assert homelab.owned_projects == ("core", "observe", "home", "paperless")


async def test_main_is_one_commit_ahead_of_what_runs(lasting: Simulated) -> None:
    running = (await facts(lasting, "homelab")).running.commit
    assert running is not None
    assert len(await lasting.repository.log("main", [running])) == 1
    head = await lasting.repository.resolve("main")
    assert len(await lasting.repository.log("origin/main", [head.sha])) == 1
    tree = await lasting.repository.tree()
    assert (tree.branch, tree.ahead, tree.behind, tree.modified, tree.untracked) == ("main", 0, 1, (), ())
    assert len({commit.author for commit in await lasting.repository.log("main")}) == 2


async def test_every_secret_is_really_encrypted_and_opens(lasting: Simulated) -> None:
    store = SopsStore(lasting.config.parent, load_user().identity)
    for project in lasting.settings.projects.values():
        for secret in project.secrets:
            data = await lasting.repository.read("main", secret.file)
            assert b"ENC[AES256_GCM" in data
            assert len((await store.decrypt(secret.file, data, secret.key)).reveal()) > 8


async def test_units_and_journal(lasting: Simulated) -> None:
    ssh = lasting.ssh("nas")
    host = lasting.host("nas", ssh)
    units = await host.units()
    assert ("sshd.service", "active", "SSH Daemon") in units
    assert any("listening" in line for line in await host.journal("sshd.service"))
    assert any("denied" in line for line in await host.journal())
    await ssh.close()


async def test_what_it_does_not_know_fails_loudly(fresh: Simulated) -> None:
    ssh = fresh.ssh("homelab")
    answer = await ssh.exec("uname -a")
    assert (answer.code, answer.out) == (127, b"")
    assert "unknown command: uname -a" in fresh.log
    with pytest.raises(Refused, match="does not let"):
        await fresh.host("homelab", ssh)._verb("explode")
    assert (await ssh.exec("sh -s deep", stdin=b"rm -rf /")).code == 127
    reader, writer = await asyncio.open_unix_connection(await ssh.forward("/run/other.sock"))
    writer.write(b"GET /_ping HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    assert "no socket /run/other.sock" in fresh.log
    await ssh.close()


async def test_only_the_pinned_key_and_only_the_demos_own_user(lasting: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    homelab, nas = lasting.settings.hosts["homelab"], lasting.settings.hosts["nas"]
    assert homelab.hostname == "127.0.0.1" and homelab.host_key != nas.host_key
    wrong = SshConnection(HostSettings("homelab", homelab.address, host_key=nas.host_key))
    with pytest.raises(HostKeyMismatch):
        await wrong.exec("true")
    monkeypatch.setenv("HOME", str(lasting.config.parent))
    stranger = SshConnection(homelab)
    with pytest.raises(Unreachable, match="does not let us in"):
        await stranger.exec("true")


async def test_a_deploy_is_kept(homelab: Homelab) -> None:
    before = await homelab.host.facts()
    closure, request = await homelab.ready("dep1", "main")
    events = await homelab.through(request)
    ended = [event.phase for event in events if event.event == "end"]
    assert ended == ["activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record"]
    assert events[-1].event == "closed" and events[-1].data["result"] == "done"
    after = await homelab.host.facts()
    assert after.running.path == after.profile == after.boot_default == closure
    assert after.profile_generation == (before.profile_generation or 0) + 1
    assert after.generations[0].by == "eve" and after.stopped == () and after.holder is None
    again = await homelab.host.check({"run": "x", "kind": "deploy", "closure": closure})
    assert again["nothing_to_do"] is True
    assert await homelab.host.outcome("dep1") == events[-1].data
    assert any("dep1 is done" in line for line in await homelab.host.journal("nixos-rebuild-switch-to-configuration.service"))


async def test_the_plan_names_what_changes(homelab: Homelab) -> None:
    commit = (await homelab.world.repository.resolve("main")).sha
    await homelab.host.receive(commit, homelab.world.repository.pack(commit, await homelab.host.haves()))
    built = [item async for item in homelab.host.build("p", commit)]
    assert isinstance(built[-1], BuildResult) and any("building" in str(line) for line in built[:-1])
    plan = await homelab.host.check({"run": "p", "kind": "deploy", "closure": built[-1].closure})
    assert {(s["project"], s["service"], s["change"], s["why"]) for s in plan["services"]} == {
        ("home", "homepage", "recreate", "image"),
        ("paperless", "web", "recreate", "image"),
    }
    running = (await homelab.host.facts()).generations
    assert {change.name for change in await homelab.host.diff(running[-1].closure.path, built[-1].closure)} >= {
        "linux",
        "openssl",
    }


async def test_the_breaking_commit_is_reverted(homelab: Homelab) -> None:
    before = await homelab.host.facts()
    _, request = await homelab.ready("brk1", "origin/main")
    events = await homelab.through(request)
    assert events[-1].data["result"] == "reverted" and events[-1].data["exit"] == Reverted.exit
    assert events[-1].data["phase"] == "converge" and "port 8001" in events[-1].data["reason"]
    after = await homelab.host.facts()
    assert after.running == before.running and after.profile_generation == before.profile_generation
    assert after.attempts[0].result is Result.REVERTED and after.attempts[0].decision == "reverted"
    with pytest.raises(Refused):
        await homelab.host.confirm("brk1", "confirm")


async def test_a_rollback_holds(homelab: Homelab) -> None:
    before = await homelab.host.facts()
    target = before.generations[1]
    check = await homelab.host.check({"run": "back", "kind": "rollback", "generation": target.number})
    hold = {"abandoned": [before.running.commit], "why": "it hums"}
    await homelab.through(homelab.request("back", "rollback", check, generation=target.number, hold=hold))
    after = await homelab.host.facts()
    assert after.running.path == target.closure.path and after.profile_generation == target.number
    assert after.hold is not None and after.hold.why == "it hums" and after.hold.abandoned == (before.running.commit,)
    assert after.generations[0].outcome.verdict is Verdict.ABANDONED


async def test_one_run_at_a_time_and_only_as_planned(homelab: Homelab) -> None:
    _, request = await homelab.ready("one", "main")
    await homelab.host.run(request)
    assert (holder := (await homelab.host.facts()).holder) is not None and holder.who == "eve"
    with pytest.raises(Locked):
        await homelab.host.run(request | {"run": "two"})
    async for event in homelab.host.watch("one"):
        if event.event == "start" and event.phase in ("reach", "confirm"):
            await homelab.host.confirm("one", event.phase)
    with pytest.raises(Refused, match="changed since the plan"):
        await homelab.host.run(request | {"run": "three"})


async def test_events_can_be_read_from_anywhere(homelab: Homelab) -> None:
    _, request = await homelab.ready("evt", "main")
    events = await homelab.through(request)
    rest = [event async for event in homelab.host.watch("evt", events[3].offset)]
    assert rest == events[4:]


async def test_what_cannot_be_built_says_why(homelab: Homelab) -> None:
    file = homelab.world.config.parent / "compose/core/compose.yaml"
    file.write_text(file.read_text().replace("image: traefik:v3.7.9", "imagine: traefik"))
    git = ("git", "-C", str(file.parent), "commit", "-qam", "core: no image")
    process = await asyncio.create_subprocess_exec(*git)
    assert await process.wait() == 0
    with pytest.raises(BuildFailed) as caught:
        await homelab.ready("bad", "HEAD")
    assert "services.traefik has no image" in caught.value.why
    with pytest.raises(CockpitError):
        await homelab.host.outcome("bad")


async def test_a_project_is_taken_down_and_brought_up(homelab: Homelab) -> None:
    host, who = homelab.host, b'{"run": "cmp1", "who": "eve", "origin": "here"}'
    (planned,) = (await host._verb("compose", "plan", "home"))["services"]
    assert (planned["service"], planned["change"]) == ("homepage", "keep")
    down = await host._verb("compose", "down", "home", stdin=who)
    assert down == {"done": "down"} and (await host.facts()).stopped == ("home/homepage",)
    (planned,) = (await host._verb("compose", "plan", "home"))["services"]
    assert (planned["service"], planned["change"]) == ("homepage", "create")
    assert await host._verb("compose", "up", "home", "homepage", stdin=who) == {"done": "up"}
    assert (await host.facts()).stopped == ()
    (pulled,) = (await host._verb("compose", "pull", "home", stdin=who))["images"]
    assert pulled["service"] == "homepage" and pulled["old"] == pulled["new"]
    with pytest.raises(Refused, match="not in the running release"):
        await host._verb("compose", "down", "backup", stdin=who)
