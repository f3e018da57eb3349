"""Changes of services against a real engine: what the actions say is what became of the container."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cockpit.actions.operations import Operations, unasked
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.actions.services import ServiceActions
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker.engine import DockerEngine
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Exit
from cockpit.domain.events import HostOutcome
from cockpit.domain.settings import HostSettings, Settings, Timing
from cockpit.observe.containers import Containers
from tests.contract.test_docker_contract import SOCKET, Project, docker, project
from tests.unit.fake_containers import FakeShell
from tests.unit.fakes import FakeAudit

__all__ = ["project"]
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(900),
]
HOST = HostSettings("here", "127.0.0.1", timing=Timing(20, 1, 60))


class Bench:
    def __init__(self, engine: DockerEngine, project: Project) -> None:
        self.clock, self.audit = SystemClock(), FakeAudit()
        gate = Gate(self.clock, headless=True)
        operations = Operations(self.clock, self.audit, gate, "ada", "desk")
        settings = Settings(Path("/"), hosts={"here": HOST})
        self.engine, self.project = engine, project
        self.actions = ServiceActions(
            {"here": engine}, {}, settings, operations, self.clock, "ada", "desk", FakeShell(), gate, self.audit
        )

    async def go(self, verb: Lifecycle, service: str) -> HostOutcome:
        target = f"here/{self.project.name}" + (f"/{service}" if service else "")
        outcome = await self.actions.execute(verb, [target], Run("run1", self.clock), unasked)
        return outcome.hosts[0]


@pytest.fixture
async def bench(project: Project) -> AsyncGenerator[Bench]:
    async def socket() -> str:
        return SOCKET

    engine = DockerEngine("here", socket, SystemClock())
    yield Bench(engine, project)
    await engine.close()


async def test_restart_stop_and_start(bench: Bench) -> None:
    web = bench.project.run("web", "exec /bin/busybox sleep 600", "--stop-timeout", "1")
    before = docker("inspect", "-f", "{{.State.StartedAt}}", web)
    done = await bench.go(Lifecycle.RESTART, "web")
    assert (done.exit, done.text) == (Exit.DONE, "restarted") and docker("inspect", "-f", "{{.State.StartedAt}}", web) != before
    done = await bench.go(Lifecycle.STOP, "web")
    assert done.exit is Exit.DONE and done.text.startswith("stopped: exited ")
    assert docker("inspect", "-f", "{{.State.Status}}", web) == "exited"
    assert (await bench.go(Lifecycle.START, "")).text == "running"
    assert [record["exit"] for record in bench.audit.all] == [0, 0, 0]


async def test_what_does_not_stay_up_is_told_with_its_exit(bench: Bench) -> None:
    job = bench.project.run("job", "exit 3")
    docker("wait", job)
    done = await bench.go(Lifecycle.START, "job")
    assert (done.exit, done.text.partition(" ")[2], done.why) == (Exit.FAILED, "does not run", "exited 3")
    loop = bench.project.run("loop", "exit 4", "--restart", "always")
    done = await bench.go(Lifecycle.RESTART, "loop")
    assert done.exit is Exit.FAILED and "again and again" in done.text and "exited 4" in done.why
    docker("rm", "-f", loop)
    once = bench.project.run("once", "exit 0")
    docker("wait", once)
    assert (await bench.go(Lifecycle.START, "once")).text == "ran, and ended well"


async def test_cpu_and_memory_are_remembered(bench: Bench) -> None:
    bench.project.run("web", "while :; do :; done")
    containers = Containers({"here": bench.engine})
    seen = await bench.engine.services()
    web = next(s for s in seen.services if s.project == bench.project.name)
    assert web.usage is None and containers.past(web) == ()
    for _ in range(3):
        seen = await containers.measured("here", seen)
    assert next(s for s in seen.services if s.container == web.container).usage is not None
    assert len(containers.past(web)) == 2 and (await containers.detail(web)).container == web.container
