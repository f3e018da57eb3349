"""The same cases on the simulated engine and on a real one, through the adapter that both are read by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker.engine import DockerEngine
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import LogGap, LogItem, LogLine, Service, State
from tests.contract.simulated import simulated
from tests.contract.test_docker_contract import SOCKET, Project, _missing, docker

# the SDK leaves the sockets of calls that were cancelled to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(900),  # the first use on a machine builds the lab's images
]
TALKS = "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo level=info n=$n; sleep 1 & wait $!; done"


@dataclass
class Place:
    """An engine with two services that run, `talker` and `other`."""

    engine: DockerEngine
    project: str
    talker: str
    other: str
    oneshot: bool
    """Whether they are made not to be started again."""

    async def service(self, name: str) -> Service:
        return next(s for s in (await self.engine.services()).services if (s.project, s.service) == (self.project, name))

    async def post(self, service: Service, verb: str) -> None:
        await self.engine._call(lambda api: getattr(api, verb)(service.container))

    async def until(self, name: str, state: State) -> Service:
        async with asyncio.timeout(60):
            while (found := await self.service(name)).state is not state:
                await SystemClock().sleep(0.02)
        return found


@pytest.fixture(params=["simulator", "docker"])
async def place(request: pytest.FixtureRequest) -> AsyncGenerator[Place]:
    if request.param == "simulator":
        with simulated() as world:
            ssh = world.ssh("homelab")
            yield Place(engine := world.engine("homelab", ssh), "core", "socket-proxy", "traefik", oneshot=False)
            await engine.close()
            await ssh.close()
        return
    if reason := await asyncio.to_thread(_missing):
        pytest.skip(reason)

    async def socket() -> str:
        return SOCKET

    project = Project()
    for name in ("talker", "other"):
        await asyncio.to_thread(project.run, name, TALKS, "--stop-signal", "SIGTERM")
    yield Place(engine := DockerEngine("here", socket, SystemClock()), project.name, "talker", "other", oneshot=True)
    await engine.close()
    await asyncio.to_thread(docker, "rm", "-f", *project.containers)


async def test_what_runs(place: Place) -> None:
    for name in (place.talker, place.other):
        found = await place.service(name)
        assert found.state is State.RUNNING and not found.broken and found.oneshot is place.oneshot
        assert found.image and len(found.container) == 64 and found.since is not None and found.exit_code in (None, 0)


async def test_what_it_uses(place: Place) -> None:
    ids = [(await place.service(name)).container for name in (place.talker, place.other)]
    for _ in range(2):
        found = await place.engine.usage([*ids, "0" * 64])
        assert found.keys() == set(ids) and all(u.cpu >= 0 and u.memory >= 0 for u in found.values())


async def test_its_log_goes_on_in_order(place: Place) -> None:
    talker = await place.service(place.talker)
    lines: list[LogLine] = []
    batches = 0
    async with asyncio.timeout(60):
        async for batch in (logs := place.engine.logs([talker.container], tail=5)):
            lines += [item for item in batch if isinstance(item, LogLine)]
            batches += 1
            if batches >= 3:
                break
    await logs.aclose()  # type: ignore[attr-defined]  # an async generator
    assert all(one.time <= after.time for one, after in pairwise(lines))
    assert {(line.project, line.service) for line in lines} == {(place.project, place.talker)}
    async for batch in (later := place.engine.logs([talker.container], since=lines[-1].time, tail=1000)):
        known = {(line.time, line.text) for line in lines}
        assert not [item for item in batch if (item.time, item.text) in known], "nothing is told twice"
        break
    await later.aclose()  # type: ignore[attr-defined]


async def test_two_logs_are_merged(place: Place) -> None:
    ids = [(await place.service(name)).container for name in (place.talker, place.other)]
    seen: set[str] = set()
    async with asyncio.timeout(60):
        async for batch in (logs := place.engine.logs(ids, tail=3)):
            seen |= {item.service for item in batch}
            if seen == {place.talker, place.other}:
                break
    await logs.aclose()  # type: ignore[attr-defined]


async def test_a_stop_is_heard_and_told_in_the_log_and_a_start_goes_on(place: Place) -> None:
    other = await place.service(place.other)
    changes = aiter(place.engine.changes())
    heard: list[str] = []
    items: list[LogItem] = []

    async def listen() -> None:
        async for container in changes:
            heard.append(container)

    async def follow() -> None:
        async for batch in place.engine.logs([other.container], tail=1):
            items.extend(batch)

    tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(follow())]
    async with asyncio.timeout(120):
        while not items:
            await SystemClock().sleep(0.02)
        while other.container not in heard:  # the stream says nothing of what was before it
            await place.post(other, "stop")
            stopped = await place.until(place.other, State.EXITED)
            await place.post(other, "start")
            started = await place.until(place.other, State.RUNNING)
        while not any(isinstance(item, LogGap) and "exited: 0" in item.text for item in items):
            await SystemClock().sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert stopped.exit_code == 0 and started.container == other.container
    assert (started.since or 0) > (other.since or 0)


async def test_a_kill_is_an_exit_of_137_and_a_second_one_is_refused(place: Place) -> None:
    other = await place.service(place.other)
    await place.post(other, "kill")
    assert (await place.until(place.other, State.EXITED)).exit_code == 137
    with pytest.raises(CockpitError, match="refuses"):
        await place.post(other, "kill")
    await place.post(other, "restart")
    await place.until(place.other, State.RUNNING)
