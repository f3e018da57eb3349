"""The container engine's adapter, against an engine that can be broken."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cockpit.adapters.docker import engine as engine_module
from cockpit.adapters.docker.engine import DockerEngine
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.services import Health, Level, LogGap, LogItem, LogLine, State, Usage
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_engine import FakeEngine, ident

# the SDK forgets a socket that it cannot connect
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncGenerator[FakeEngine]:
    found = FakeEngine(tmp_path)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def engine(fake: FakeEngine, clock: FakeClock) -> AsyncGenerator[DockerEngine]:
    async def socket() -> str:
        return fake.path

    found = DockerEngine("alpha", socket, clock)
    yield found
    await found.close()
    gc.collect()  # so that the warning comes here, where it is expected


def frame(*messages: str, kind: int = 1, second: int = 0) -> bytes:
    text = "".join(f"2026-11-23T07:00:{second:02}.000000000Z {message}\n" for message in messages).encode()
    return bytes((kind, 0, 0, 0)) + len(text).to_bytes(4, "big") + text


async def take(engine: DockerEngine, containers: list[str], count: int, since: float | None = None) -> list[LogItem]:
    found: list[LogItem] = []
    logs = engine.logs(containers, since=since)
    async for batch in logs:
        found.extend(batch)
        if len(found) >= count:
            break
    await logs.aclose()  # type: ignore[attr-defined]
    return found


async def test_services(fake: FakeEngine, engine: DockerEngine, clock: FakeClock) -> None:
    fake.add("b", "core", "web", Health={"Status": "unhealthy"})
    fake.add("a", "core", "db", Status="exited", Running=False, ExitCode=137, OOMKilled=True)
    fake.add("c", "", "by-hand", Status="odd-new-state")
    once = fake.add("d", "core", "once")
    fake.containers[once]["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    snapshot = await engine.services()
    assert (snapshot.host, snapshot.read_at) == ("alpha", clock.now())
    foreign, db, web = snapshot.services
    assert (foreign.project, foreign.owned, foreign.service, foreign.state) == ("", False, "-by-hand-1", State.DEAD)
    assert (db.ref, db.state, db.exit_code, db.oom, db.since, db.broken) == (
        "core/db",
        State.EXITED,
        137,
        True,
        1795420800.0,
        True,
    )
    assert (web.state, web.health, web.exit_code, web.since) == (State.RUNNING, Health.UNHEALTHY, None, 1795417200.0)
    assert (web.image, web.ports, web.oneshot, web.number) == ("app:1", (8080,), False, 1)


async def test_containers_are_inspected_again_only_when_something_changed(
    fake: FakeEngine, engine: DockerEngine, clock: FakeClock
) -> None:
    web = fake.add("b", "core", "web")
    await engine.services()
    await engine.services()
    assert fake.count(rf"{web}/json") == 1
    fake.containers[web]["Status"] = "Up 2 hours (unhealthy)"
    await engine.services()
    assert fake.count(rf"{web}/json") == 2
    clock.time += 31
    await engine.services()
    assert fake.count(rf"{web}/json") == 3
    del fake.containers[web]
    assert (await engine.services()).services == ()


async def test_hostile_names_are_harmless(fake: FakeEngine, engine: DockerEngine) -> None:
    fake.add("b", "co\x1b[2Jre", "w\u202eeb")
    (service,) = (await engine.services()).services
    assert (service.ref, service.name) == ("core/web", "core-web-1")


async def test_usage_needs_two_readings_and_leaves_out_the_cache(
    fake: FakeEngine, engine: DockerEngine, clock: FakeClock
) -> None:
    web = fake.add("b", "core", "web")
    idle = fake.add("c", "core", "idle")
    stats = {"cpu_stats": {"cpu_usage": {"total_usage": 1e9}}, "memory_stats": {"usage": 1000, "stats": {"inactive_file": 400}}}
    fake.containers[web]["stats"] = stats
    assert await engine.usage([web, idle, ident("f")]) == {web: Usage(0.0, 600)}
    clock.time += 2
    fake.containers[web]["stats"] = stats | {"cpu_stats": {"cpu_usage": {"total_usage": 2e9}}}
    assert await engine.usage([web]) == {web: Usage(50.0, 600)}


async def test_an_engine_that_refuses_or_is_gone(fake: FakeEngine, engine: DockerEngine) -> None:
    fake.broken[r"/containers/json"] = 500
    with pytest.raises(CockpitError, match=r"of alpha refuses: broken $") as caught:
        await engine.services()
    assert not isinstance(caught.value, Unreachable)
    fake.broken.clear()
    await engine.services()
    await fake.stop()
    with pytest.raises(Unreachable, match="of alpha cannot be reached"):
        await engine.services()
    with pytest.raises(Unreachable):
        await anext(aiter(engine.changes()))
    with pytest.raises(Unreachable):
        await take(engine, [ident("b")], 1)
    await fake.start()
    assert (await engine.services()).services == ()


async def test_changes_name_containers_until_the_engine_goes(fake: FakeEngine, engine: DockerEngine) -> None:
    for event in ({"Action": "start", "id": "x"}, {"Action": "exec_create: sh", "id": "y"}, {"Action": "die", "id": "z"}):
        fake.events.put_nowait(json.dumps(event).encode() + b"\n")
    fake.events.put_nowait(b"not json\n[1]\n")
    fake.events.put_nowait(None)
    found: list[str] = []
    with pytest.raises(Unreachable, match="went away"):
        async for container in engine.changes():
            found.append(container)
    assert found == ["x", "z"]


async def test_lines_of_several_containers(fake: FakeEngine, engine: DockerEngine) -> None:
    web, db = fake.add("b", "core", "web"), fake.add("a", "core", "db")
    fake.logs[web].put_nowait(frame("INFO up", "second"))
    fake.logs[db].put_nowait(frame("\x1b]0;x\x07ERROR boom", kind=2))
    found = await take(engine, [web, db], 3)
    lines = {(i.service, i.text, i.level, i.stderr) for i in found if isinstance(i, LogLine)}
    assert lines == {
        ("web", "INFO up", Level.INFO, False),
        ("web", "second", Level.UNKNOWN, False),
        ("db", "ERROR boom", Level.ERROR, True),
    }


async def test_a_terminal_s_lines(fake: FakeEngine, engine: DockerEngine) -> None:
    web = fake.add("b", "core", "web")
    fake.containers[web]["Config"]["Tty"] = True
    fake.logs[web].put_nowait(b"2026-11-23T07:00:00Z hello\r\n")
    (line,) = await take(engine, [web], 1)
    assert line.text == "hello"


async def test_since_is_passed_on(fake: FakeEngine, engine: DockerEngine) -> None:
    web = fake.add("b", "core", "web")
    fake.logs[web].put_nowait(frame("x"))
    await take(engine, [web], 1, since=100.5)
    assert fake.count(r"/logs\?.*tail=200&since=100\.500001$") == 1


async def test_what_overflows_is_dropped_oldest_first_and_counted(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "QUEUE", 10)
    web = fake.add("b", "core", "web")
    fake.logs[web].put_nowait(frame(*(str(n) for n in range(25))))
    gap, *rest = await take(engine, [web], 11)
    assert isinstance(gap, LogGap) and gap.text == "15 lines of web dropped, oldest first"
    assert [item.text for item in rest] == [str(n) for n in range(15, 25)]


async def test_an_exit_is_told_and_the_next_start_followed(
    fake: FakeEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pauses = asyncio.sleep, asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds == 1:  # the pause of a follower whose container does not run
            pauses.set()
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    web = fake.add("b", "core", "web")
    fake.logs[web].put_nowait(frame("before", second=1))
    logs = aiter(engine.logs([web]))
    assert [i.text for i in await anext(logs)] == ["before"]
    fake.containers[web]["State"] |= {"Running": False, "ExitCode": 137, "OOMKilled": True}
    fake.logs[web].put_nowait(None)
    (gap,) = await anext(logs)
    assert isinstance(gap, LogGap) and (gap.service, gap.text, gap.bad) == ("web", "web exited: 137, out of memory", True)
    await pauses.wait()
    fake.logs[web].put_nowait(frame("after", second=5))
    fake.containers[web]["State"] |= {"Running": True}
    assert [i.text for i in await anext(logs)] == ["after"]
    assert fake.count(r"/logs\?.*since=1795417201\.000000001$") == 1
    await logs.aclose()  # type: ignore[attr-defined]


async def test_a_container_that_is_gone_is_told(fake: FakeEngine, engine: DockerEngine) -> None:
    (gap,) = await take(engine, [ident("e")], 1)
    assert isinstance(gap, LogGap) and (gap.text, gap.bad) == ("the container was removed", False)


async def test_an_engine_that_goes_away_ends_the_logs(fake: FakeEngine, engine: DockerEngine) -> None:
    web = fake.add("b", "core", "web")
    fake.logs[web].put_nowait(frame("x"))
    logs = aiter(engine.logs([web]))
    await anext(logs)
    await fake.stop()
    with pytest.raises(Unreachable):
        while True:
            await anext(logs)


async def test_what_is_no_container_id_never_reaches_the_engine(fake: FakeEngine, engine: DockerEngine) -> None:
    with pytest.raises(CockpitError, match="is no container id"):
        await take(engine, ["../../images/prune"], 1)
    assert fake.asked == []


async def test_no_containers_no_logs(engine: DockerEngine) -> None:
    assert [batch async for batch in engine.logs([])] == []
