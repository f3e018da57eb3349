"""The simulated engine, through the adapter that real engines are read by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from cockpit.adapters.docker.engine import DockerEngine
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Health, Level, LogGap, LogLine, Service, State
from tests.contract.simulated import Simulated, simulated

# the SDK leaves the sockets of calls that were cancelled to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    with simulated() as found:
        yield found


@dataclass
class Docker:
    world: Simulated
    engine: DockerEngine

    async def service(self, name: str) -> Service:
        return next(s for s in (await self.engine.services()).services if s.service == name)

    async def post(self, service: Service, verb: str) -> None:
        await self.engine._call(lambda api: getattr(api, verb)(service.container))

    async def until(self, name: str, state: State, health: Health = Health.NONE) -> Service:
        async with asyncio.timeout(20):
            while True:
                found = await self.service(name)
                if found.state is state and found.health is health:
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
async def docker(world: Simulated) -> AsyncGenerator[Docker, None]:
    ssh = world.ssh("homelab")
    engine = world.engine("homelab", ssh)
    yield Docker(world, engine)
    await engine.close()
    await ssh.close()


async def test_the_services_of_the_release_run(docker: Docker) -> None:
    services = (await docker.engine.services()).services
    assert {(s.project, s.service) for s in services} == {
        ("core", "socket-proxy"), ("core", "traefik"), ("home", "homepage"), ("observe", "dozzle"), ("observe", "gotify"),
        ("observe", "uptime-kuma"), ("observe", "watchtower"), ("paperless", "broker"), ("paperless", "db"),
        ("paperless", "tika"), ("paperless", "web"), ("paperless", "worker"),
    }  # fmt: skip
    assert {s.state for s in services} == {State.RUNNING} and all(s.owned for s in services)
    assert not [s for s in services if s.health not in (Health.HEALTHY, Health.NONE)]
    traefik = await docker.service("traefik")
    assert traefik.image.startswith("traefik:v") and traefik.ports == (443, 8082)


async def test_they_use_processors_and_memory(docker: Docker) -> None:
    ids = [s.container for s in (await docker.engine.services()).services]
    first = await docker.engine.usage(ids)
    async with asyncio.timeout(10):
        second = await docker.engine.usage(ids)
        while not all(u.cpu > 0 for u in second.values()):
            second = await docker.engine.usage(ids)
    assert first.keys() == set(ids) and all(u.memory > 1_000_000 for u in first.values())


async def test_logs_speak_many_dialects_and_go_on(docker: Docker) -> None:
    services = (await docker.engine.services()).services
    seen: list[LogLine] = []
    newest = 0.0
    async with asyncio.timeout(20):
        async for batch in docker.engine.logs([s.container for s in services], tail=100):
            seen += [item for item in batch if isinstance(item, LogLine)]
            newest = newest or max(line.time for line in seen)
            if {line.service for line in seen} == {s.service for s in services} and seen[-1].time > newest:
                break
    texts = [line.text for line in seen]
    assert any(text.startswith("{") for text in texts), "JSON"
    assert any("level=info" in text for text in texts), "logfmt"
    assert any("\x1b[" in text for text in texts), "colour"
    assert any(text.startswith("Traceback") for text in texts), "a stack trace"
    assert {Level.INFO, Level.WARN, Level.ERROR} <= {line.level for line in seen}


async def test_tail_and_since(docker: Docker) -> None:
    web = await docker.service("web")
    async for batch in docker.engine.logs([web.container], tail=7):
        assert len(batch) == 7
        lines = [item for item in batch if isinstance(item, LogLine)]
        break
    async for batch in docker.engine.logs([web.container], since=lines[3].time, tail=1000):
        assert all(item.time > lines[3].time for item in batch)
        break


async def test_after_any_line_comes_the_next_one(docker: Docker) -> None:
    """Whatever fraction of a second it was written in: floats round about one in eight of them to the other side."""
    web = await docker.service("web")
    lines = (await docker.engine.history([web.container], tail=80))[:60]
    for line, after in pairwise(lines):
        later = await docker.engine.history([web.container], since=line.time, tail=None)
        assert later[0].time == after.time


async def test_a_stop_and_a_start_are_heard_and_told_in_the_log(docker: Docker) -> None:
    gotify = await docker.service("gotify")
    changes = docker.engine.changes()
    heard = asyncio.ensure_future(anext(changes))
    gaps: asyncio.Queue[str] = asyncio.Queue()

    async def follow() -> None:
        async for batch in docker.engine.logs([gotify.container], tail=1):
            for item in batch:
                gaps.put_nowait(item.text if isinstance(item, LogGap) else "line")

    following = asyncio.ensure_future(follow())
    async with asyncio.timeout(20):
        assert await gaps.get() == "line"
        await docker.post(gotify, "stop")
        assert await heard == gotify.container
        while "exited: 0" not in await gaps.get():
            pass
        stopped = await docker.until("gotify", State.EXITED)
        assert stopped.exit_code == 0
        await docker.post(gotify, "start")
        started = await docker.until("gotify", State.RUNNING, Health.HEALTHY)
        assert started.container == gotify.container and (started.since or 0) > (gotify.since or 0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await changes.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_kill_and_restart(docker: Docker) -> None:
    dozzle = await docker.service("dozzle")
    await docker.post(dozzle, "kill")
    assert (await docker.until("dozzle", State.EXITED)).exit_code == 137
    with pytest.raises(CockpitError, match="refuses"):
        await docker.post(dozzle, "kill")
    await docker.post(dozzle, "restart")
    await docker.until("dozzle", State.RUNNING, Health.HEALTHY)


async def test_images_are_those_of_the_containers(docker: Docker) -> None:
    images = await docker.engine._call(lambda api: api.images())
    used = {s.image for s in (await docker.engine.services()).services}
    assert used <= {tag for image in images for tag in image["RepoTags"]}
    ids = {s.image_id for s in (await docker.engine.services()).services}
    assert ids <= {image["Id"] for image in images}


async def test_what_it_does_not_know_fails_loudly(docker: Docker) -> None:
    with pytest.raises(CockpitError) as caught:
        await docker.engine._call(lambda api: api.volumes())
    assert "does not know GET /volumes" in caught.value.why
    assert "does not know GET /volumes" in docker.world.log
