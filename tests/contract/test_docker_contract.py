"""What the fake engine claims, asked of a real one."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker.engine import DockerEngine
from cockpit.adapters.docker.shell import CHOOSE
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Conflict, OperationFailed
from cockpit.domain.services import Health, Level, LogGap, LogItem, LogLine, Service, State
from tests.lab.engine import missing
from tests.lab.host import ensure_app_images, ensure_image

# the SDK leaves the sockets of calls that were cancelled to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(900),  # the first use on a machine builds the lab's images
]

SOCKET = "/var/run/docker.sock"
IMAGE = "cockpit-lab/app:1"


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def _missing() -> str:
    try:
        docker("version")
        if not missing():
            ensure_app_images(ensure_image())
        docker("image", "inspect", IMAGE)
    except FileNotFoundError:
        return "docker is not installed"
    except subprocess.SubprocessError as error:
        return f"{IMAGE} is not here (the lab builds it)" if "image" in getattr(error, "cmd", ()) else "no dockerd answers"
    return ""


@dataclass
class Project:
    """Containers as compose would label them; removed at the end."""

    name: str = field(default_factory=lambda: f"contract-{secrets.token_hex(4)}")
    containers: list[str] = field(default_factory=list)

    def run(self, service: str, script: str, *options: str) -> str:
        labels = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]
        found = docker(
            "run", "-d", "--name", f"{self.name}-{service}", *(word for label in labels for word in ("--label", label)), *options,
            IMAGE, "/bin/busybox", "sh", "-c", script,
        )  # fmt: skip
        self.containers.append(found)
        return found


@pytest.fixture
def project() -> Iterator[Project]:
    if reason := _missing():
        pytest.skip(reason)
    found = Project()
    yield found
    for container in found.containers:
        subprocess.run(["docker", "rm", "-f", container], check=False, capture_output=True, timeout=60)


@pytest.fixture
async def engine(project: Project) -> AsyncGenerator[DockerEngine]:
    async def socket() -> str:
        return SOCKET

    found = DockerEngine("here", socket, SystemClock())
    yield found
    await found.close()


async def mine(engine: DockerEngine, project: Project) -> dict[str, Service]:
    return {s.service: s for s in (await engine.services()).services if s.project == project.name}


async def until(engine: DockerEngine, containers: list[str], wanted: str, since: float | None = None) -> list[LogItem]:
    """Everything up to the item whose text is `wanted`."""
    found: list[LogItem] = []
    logs = engine.logs(containers, since=since)
    async with asyncio.timeout(30):
        async for batch in logs:
            found.extend(batch)
            if any(item.text == wanted for item in batch):
                break
    await logs.aclose()  # type: ignore[attr-defined]
    return found


async def test_states_exits_and_images(engine: DockerEngine, project: Project) -> None:
    project.run("web", "exec /bin/busybox sleep 600", "--restart", "unless-stopped")
    project.run("job", "exit 3")
    docker("wait", f"{project.name}-job")
    found = await mine(engine, project)
    web, job = found["web"], found["job"]
    assert (web.state, web.health, web.exit_code, web.oneshot, web.image) == (State.RUNNING, Health.NONE, None, False, IMAGE)
    assert web.name == f"{project.name}-web" and web.container == project.containers[0] and not web.broken
    assert web.since is not None and job.since is not None and web.since <= job.since
    assert (job.state, job.exit_code, job.oneshot, job.broken) == (State.EXITED, 3, True, True)


async def test_a_change_is_announced_and_seen(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "exec /bin/busybox sleep 600")
    assert (await mine(engine, project))["web"].state is State.RUNNING
    changes = aiter(engine.changes())
    first = asyncio.ensure_future(anext(changes))
    async with asyncio.timeout(30):
        # the stream says nothing of what was before it: kill until it has heard
        while not first.done():
            await asyncio.to_thread(docker, "restart", "-t", "0", web)
            await asyncio.wait({first}, timeout=1)
        while first.result() != web and await anext(changes) != web:
            pass
        await asyncio.to_thread(docker, "kill", web)
        await asyncio.to_thread(docker, "wait", web)
        found = (await mine(engine, project))["web"]
        assert (found.state, found.exit_code) == (State.EXITED, 137)
    await changes.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [(), ("-t",)], ids=["frames", "tty"])
async def test_log_lines(engine: DockerEngine, project: Project, options: tuple[str, ...]) -> None:
    script = "echo 'INFO one'; printf '\\033]0;evil\\007two\\n'; /bin/busybox seq 2000; echo 'level=error three'"
    script += "; exec /bin/busybox sleep 600"
    web = project.run("web", script, *options)
    # `tail` is what is asked of an old log; live lines all come
    found = [item for item in await until(engine, [web], "level=error three") if isinstance(item, LogLine)]
    texts = [item.text for item in found]
    numbers = [int(t) for t in texts if t.isdigit()]
    assert numbers == list(range(numbers[0], 2001)) and len(numbers) >= 199
    assert all(item.time <= after.time for item, after in pairwise(found))
    assert found[-1].level is Level.ERROR and (found[-1].project, found[-1].service) == (project.name, "web")
    again = [item.text for item in await until(engine, [web], "level=error three", since=found[0].time - 3600)]
    assert again == texts[-len(again) :] and not any("\x1b" in t or "evil" in t for t in again)


async def test_standard_error_is_told_apart(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "echo out; echo err >&2; exec /bin/busybox sleep 600")
    found = {i.text: i.stderr for i in await until(engine, [web], "err") if isinstance(i, LogLine)}
    assert found["err"] is True and found.get("out", False) is False


async def test_an_exit_is_told_and_the_next_start_is_followed_without_repeats(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "echo hello; exit 5")
    logs = aiter(engine.logs([web]))
    found: list[LogItem] = []
    async with asyncio.timeout(30):
        while not any(isinstance(item, LogGap) for item in found):
            found.extend(await anext(logs))
        await asyncio.to_thread(docker, "start", web)
        while sum(item.text == "hello" for item in found) < 2:
            found.extend(await anext(logs))
    await logs.aclose()  # type: ignore[attr-defined]
    assert [item.text for item in found][:3] == ["hello", "web exited: 5", "hello"]


async def test_usage(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "while :; do :; done")
    first = (await engine.usage([web, "0" * 64]))[web]
    second = (await engine.usage([web]))[web]
    # the engine's own reading may be older than the time between ours, and a sandbox without cgroups measures nothing
    assert first.cpu == 0.0 and 0.0 <= second.cpu < 100_000 and 0 <= second.memory < 1 << 30


async def test_a_container_closely(engine: DockerEngine, project: Project) -> None:
    # host networking: a sandbox may have no bridge
    web = project.run(
        "web", "exec /bin/busybox sleep 600", "--restart", "on-failure:3", "-e", "TOKEN=s3cret=x", "-e", "EMPTY=",
        "--label", "com.docker.compose.depends_on=db:service_healthy:false,broker:service_started:true",
        "--label", "traefik.http.routers.w.rule=Host(`docs.lab.example.org`) && PathPrefix(`/app`)",
        "--stop-timeout", "3", "--tmpfs", "/scratch", "-v", "/usr/share:/given:ro", "-v", f"{project.name}:/data",
        "--health-cmd", "echo well; exit 0", "--health-interval", "1s",
    )  # fmt: skip
    try:
        found = await engine.container(web)
        assert found is not None and found.running and found.container == web and found.name == f"{project.name}-web"
        assert (found.policy, found.grace, found.image, found.restarts) == ("on-failure:3", 3.0, IMAGE, 0)
        environment = {name: value.reveal() for name, value in found.environment}
        assert environment["TOKEN"] == b"s3cret=x" and environment["EMPTY"] == b"" and "s3cret" not in repr(found)
        mounts = {m.target: (m.kind, m.source, m.writable) for m in found.mounts}
        assert mounts["/given"] == ("bind", "/usr/share", False) and mounts["/data"] == ("volume", project.name, True)
        assert found.started is not None and "sleep 600" in found.command and found.check == "echo well; exit 0"
        service = (await mine(engine, project))["web"]
        assert service.after == ("db", "broker") and service.url == "https://docs.lab.example.org/app"
        assert await engine.container("0" * 64) is None
    finally:
        docker("rm", "-f", web)
        docker("volume", "rm", "-f", project.name)


async def test_a_change_and_what_became_of_it(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "trap 'exit 7' TERM; echo ready; while :; do /bin/busybox sleep 0.1; done")
    before = await engine.container(web)
    assert before is not None and before.running
    mark = time.time()  # a program may have written before the engine says that it started
    await engine.change(web, Lifecycle.RESTART, grace=5)
    again = await engine.container(web)
    assert again is not None and again.running and again.started is not None and again.started > (before.started or 0)
    await until(engine, [web], "ready", since=mark)
    await engine.change(web, Lifecycle.STOP, grace=5)
    stopped = await engine.container(web)
    # a sandbox may have no signals but the last one
    assert stopped is not None and stopped.state is State.EXITED and stopped.ended in ("exited 7", "exited 137, killed")
    await engine.change(web, Lifecycle.START, grace=5)
    assert (found := await engine.container(web)) is not None and found.running
    # a start of what does not stay up is answered as if all were well
    job = project.run("job", "exit 3")
    docker("wait", job)
    await engine.change(job, Lifecycle.START, grace=5)
    docker("wait", job)
    assert (ended := await engine.container(job)) is not None and (ended.running, ended.exit_code) == (False, 3)


async def test_a_change_of_what_is_gone_or_cannot_be(engine: DockerEngine, project: Project) -> None:
    with pytest.raises(Conflict, match="gone"):
        await engine.change("0" * 64, Lifecycle.RESTART, grace=1)
    broken = docker("create", "--name", f"{project.name}-broken", IMAGE, "/no/such/program")
    project.containers.append(broken)
    with pytest.raises(OperationFailed) as error:
        await engine.change(broken, Lifecycle.START, grace=1)
    assert "could not start it" in error.value.what and "no such file" in error.value.why
    found = await engine.container(broken)
    assert found is not None and found.exit_code == 127 and "not there" in found.ended


async def test_old_lines_end(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "/bin/busybox seq 500; exec /bin/busybox sleep 600")
    db = project.run("db", "echo of db; exec /bin/busybox sleep 600")
    await until(engine, [web], "500")
    await until(engine, [db], "of db")
    async with asyncio.timeout(30):
        found = await engine.history([web, db], tail=20)
    assert [i.text for i in found if i.service == "web"] == [str(n) for n in range(481, 501)]
    assert [i.text for i in found if i.service == "db"] == ["of db"]
    assert all(i.time <= after.time for i, after in pairwise(found))
    assert len(await engine.history([web], tail=None)) == 500
    assert await engine.history([web], since=SystemClock().now() + 5, tail=None) == []


async def test_a_shell_is_what_is_there(engine: DockerEngine, project: Project) -> None:
    web = project.run("web", "/bin/busybox ln -sf /bin/busybox /bin/sh; echo linked; exec /bin/busybox sleep 600")
    await until(engine, [web], "linked")
    command = ["docker", "exec", "-i", web, "sh", "-c", CHOOSE]
    done = subprocess.run(command, input="echo in $0\nexit 5\n", capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (5, "in ash\n")
    bare = project.run("bare", "/bin/busybox rm -f /bin/sh /usr/bin/sh; echo gone; exec /bin/busybox sleep 600")
    await until(engine, [bare], "gone")
    refused = subprocess.run(["docker", "exec", bare, "sh", "-c", CHOOSE], check=False, capture_output=True, timeout=30)
    assert refused.returncode in (126, 127)
