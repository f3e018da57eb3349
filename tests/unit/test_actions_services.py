"""What is refused, what is asked, and that the container decides how a change of a service ended, never the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cockpit.actions.doing import operation
from cockpit.actions.operations import Operations
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.actions.services import ServiceActions
from cockpit.domain.containers import ContainerDetail, Lifecycle, Probe, carries_traffic
from cockpit.domain.errors import CockpitError, Conflict, Exit, OperationFailed, OutcomeUnknown, Refused, Unreachable, UsageError
from cockpit.domain.events import Outcome, Output
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Change, ServiceChange, Tier
from cockpit.domain.services import Health, Service, State
from cockpit.domain.settings import HostSettings, Settings, Timing
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_containers import FakeEngine, FakeShell, service
from tests.unit.fake_host import FakeHost
from tests.unit.fakes import FakeAudit, homelab

START_, STOP, RESTART, UP, PULL, DOWN = Lifecycle
LOST = Unreachable("the container engine of alpha cannot be reached", "reset")


class Bench:
    def __init__(self, *services: Service, protected: bool = False, headless: bool = False) -> None:
        self.clock = FakeClock()
        self.audit = FakeAudit()
        self.gate = Gate(self.clock, headless=headless)
        host = HostSettings("alpha", "alpha.test:2222", protected=protected, timing=Timing(5, 2, 30))
        self.host = FakeHost(host, self.clock)
        self.engine = FakeEngine("alpha", services or (service("alpha", "core", "web"),), self.clock)
        operations = Operations(self.clock, self.audit, self.gate, "ada", "desk")
        settings = Settings(root=Path("/"), hosts={"alpha": host})
        self.shell = FakeShell()
        self.actions = ServiceActions(
            {"alpha": self.engine}, {"alpha": self.host}, settings, operations, self.clock, "ada", "desk", self.shell, self.gate,
            self.audit,
        )  # fmt: skip
        self.run = Run("run1", self.clock)
        self.asked: list[tuple[Operation, Tier]] = []
        self.answer = True

    async def ask(self, operation: Operation, tier: Tier) -> bool:
        self.asked.append((operation, tier))
        return self.answer

    async def go(self, verb: Lifecycle, *refs: str) -> Outcome:
        self.run = Run(f"run{len(self.asked)}", self.clock)
        return await self.actions.execute(verb, refs or ("alpha/core/web",), self.run, self.ask)

    @property
    def operation(self) -> Operation:
        return self.asked[-1][0]


def web(state: State = State.RUNNING, **values: Any) -> Service:  # noqa: ANN401 - fields of Service
    return replace(service("alpha", "core", "web", state), **values)


# what is asked


@pytest.mark.parametrize(
    ("verb", "state", "tier", "text"),
    [
        (START_, State.EXITED, Tier.REVERSIBLE, "running, healthy"),
        (RESTART, State.RUNNING, Tier.REVERSIBLE, "restarted, healthy"),
        (STOP, State.RUNNING, Tier.OUTAGE, "stopped: exited 143, terminated"),
    ],
)
async def test_every_verb_asks_for_its_tier_and_says_what_became_of_it(
    verb: Lifecycle, state: State, tier: Tier, text: str
) -> None:
    bench = Bench(web(state))
    outcome = await bench.go(verb)
    assert (outcome.exit, outcome.hosts[0].text) == (Exit.DONE, text) and [t for _, t in bench.asked] == [tier]
    assert bench.engine.changed == [("alpha-core-web", verb)]
    assert bench.operation.commands == (f"ssh -p 2222 cockpit@alpha.test docker {verb.value} alpha-core-web",)
    assert bench.audit.all[-1]["action"] == f"service.{verb.value}" and bench.audit.all[-1]["targets"][0]["exit"] == 0


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ports": (443,)}, "publishes 443"),
        ({"image": "traefik:v3.7"}, "is traefik"),
        ({"image": "ghcr.io/x/adguardhome:1"}, "is adguardhome"),
        ({"image": "wollomatic/socket-proxy:1.10"}, "is socket-proxy"),
        ({"image": "nginx:1"}, ""),
        ({"image": "app:1", "ports": (8080,)}, ""),
        ({"image": "caddyshack:1"}, ""),
    ],
)
async def test_the_restart_of_what_carries_traffic_is_an_outage(values: dict[str, Any], why: str) -> None:
    bench = Bench(web(**values))
    assert carries_traffic(bench.engine.all[0]) == why
    await bench.go(RESTART)
    assert bench.asked[0][1] is (Tier.OUTAGE if why else Tier.REVERSIBLE) and why in bench.operation.interrupts[0].why


async def test_a_protected_host_raises_the_tier_and_headless_needs_its_name() -> None:
    bench = Bench(protected=True)
    await bench.go(RESTART)
    assert bench.asked[0][1] is Tier.OUTAGE
    bench = Bench(protected=True, headless=True)
    outcome = await bench.go(RESTART)
    assert outcome.exit is Exit.REFUSED and outcome.hosts[0].hint == "--approve-host alpha" and not bench.engine.changed


async def test_who_depends_on_it_is_named() -> None:
    bench = Bench(web(after=("db",)), service("alpha", "core", "db"))
    bench.answer = False
    assert (await bench.go(STOP, "alpha/core/db")).exit is Exit.REFUSED
    assert [(i.shape, i.what) for i in bench.operation.interrupts] == [("✕", "core/db"), ("▲", "core/web")]
    assert not bench.engine.changed and not bench.audit.all


async def test_a_project_in_the_order_of_its_dependencies() -> None:
    rows = (
        web(after=("db", "broker")),
        service("alpha", "core", "db"),
        replace(service("alpha", "core", "broker"), after=("db",)),
    )
    bench = Bench(*rows)
    assert (await bench.go(RESTART, "alpha/core")).exit is Exit.DONE
    assert [c.rpartition("-")[2] for c, _ in bench.engine.changed] == ["db", "broker", "web"]
    assert bench.operation.title == "Restart core on alpha, 3 services"
    await bench.go(STOP, "alpha/core")
    assert [c.rpartition("-")[2] for c, _ in bench.engine.changed[3:]] == ["web", "broker", "db"]


async def test_several_of_which_some_do_not_fit() -> None:
    bench = Bench(web(), service("alpha", "core", "db", State.EXITED), service("alpha", "mail", "smtp", State.EXITED))
    outcome = await bench.go(START_, "alpha/core/web", "alpha/core/db", "alpha/mail")
    assert outcome.exit is Exit.DONE and {c for c, _ in bench.engine.changed} == {"alpha-core-db", "alpha-mail-smtp"}
    assert "it runs already" in bench.operation.afterwards[0].why
    outcome = await bench.go(START_, "alpha/core/web")
    assert outcome.exit is Exit.REFUSED and "it runs already" in outcome.hosts[0].text


@pytest.mark.parametrize(
    ("refs", "what"),
    [
        (("alpha/core/mail",), "there is no alpha/core/mail"),
        (("gamma/core/web",), "there is no host 'gamma'"),
        (("alpha",), "'alpha' is no service"),
        ((), "no service is named"),
    ],
)
async def test_what_is_not_there(refs: tuple[str, ...], what: str) -> None:
    bench = Bench()
    outcome = await bench.actions.execute(RESTART, refs, bench.run, bench.ask)
    assert outcome.exit is Exit.USAGE and outcome.hosts[0].text == what and not bench.asked


# what became of it


def unhealthy(d: ContainerDetail) -> ContainerDetail:
    return replace(d, health=Health.UNHEALTHY, probes=(Probe(None, None, 1, "connection refused\n"),))


def starting(d: ContainerDetail) -> ContainerDetail:
    return replace(d, health=Health.STARTING)


def bare(d: ContainerDetail) -> ContainerDetail:
    return replace(d, health=Health.NONE)


def dead(d: ContainerDetail) -> ContainerDetail:
    return replace(d, state=State.EXITED, health=Health.NONE, exit_code=137, oom=True)


def ended(d: ContainerDetail) -> ContainerDetail:
    return replace(d, state=State.EXITED, health=Health.NONE, policy="no")


def looping(d: ContainerDetail) -> ContainerDetail:
    return replace(d, state=State.RESTARTING, health=Health.NONE, exit_code=1)


def again(d: ContainerDetail) -> ContainerDetail:
    return replace(d, health=Health.NONE, restarts=d.restarts + 1)


@pytest.mark.parametrize(
    ("looks", "code", "text", "why"),
    [
        ([starting, starting], Exit.DONE, "restarted, healthy", ""),
        ([starting, unhealthy], Exit.FAILED, "alpha/core/web is unhealthy", "connection refused"),
        ([dead], Exit.FAILED, "alpha/core/web does not run", "exited 137, out of memory"),
        ([bare, bare, dead], Exit.FAILED, "alpha/core/web does not run", "exited 137, out of memory"),
        ([looping], Exit.FAILED, "alpha/core/web restarts again and again", "exited 1"),
        ([bare, again], Exit.FAILED, "alpha/core/web restarts again and again", "exited 0"),
        ([ended], Exit.DONE, "ran, and ended well", ""),
        ([bare] * 20, Exit.DONE, "restarted", ""),
        ([starting] * 40, Exit.FAILED, "alpha/core/web is not ready within 5s", "health check still starting"),
    ],
)
async def test_the_container_decides(looks: list[object], code: Exit, text: str, why: str) -> None:
    bench = Bench()
    bench.engine.later["web"] = list(looks)  # type: ignore[arg-type]
    outcome = await bench.go(RESTART)
    assert (outcome.exit, outcome.hosts[0].text, outcome.hosts[0].why) == (code, text, why)
    assert len(bench.engine.changed) == 1


async def test_a_lost_answer_is_looked_after_and_never_asked_again() -> None:
    bench = Bench()
    bench.engine.lost, bench.engine.errors["change"] = True, [LOST]
    outcome = await bench.go(RESTART)
    assert outcome.exit is Exit.DONE and len(bench.engine.changed) == 1
    bench = Bench()
    bench.engine.errors["change"] = [LOST]  # it never arrived
    outcome = await bench.go(RESTART)
    assert outcome.exit is Exit.FAILED and "was not restarted" in outcome.hosts[0].text and not bench.engine.changed
    bench = Bench()
    bench.engine.lost, bench.engine.errors["change"] = True, [LOST]

    def silent() -> None:
        bench.engine.errors["container"] = [LOST] * 100

    bench.engine.on_change = silent
    outcome = await bench.go(STOP)
    assert outcome.exit is Exit.UNKNOWN and "cannot be read" in outcome.hosts[0].text


@pytest.mark.parametrize("error", [Conflict("the container is gone"), OperationFailed("could not restart it", "port is taken")])
async def test_what_the_engine_says_no_to(error: CockpitError) -> None:
    bench = Bench()
    bench.engine.errors["change"] = [error]
    outcome = await bench.go(RESTART)
    assert (outcome.exit, outcome.hosts[0].text, outcome.hosts[0].why) == (error.exit, error.what, error.why)


async def test_what_was_made_anew_meanwhile_is_not_touched() -> None:
    bench = Bench()

    async def ask(operation: Operation, tier: Tier) -> bool:
        bench.engine.set("web", container="another")
        return True

    outcome = await bench.actions.execute(RESTART, ["alpha/core/web"], bench.run, ask)
    assert outcome.exit is Exit.REFUSED and "made anew" in outcome.hosts[0].text and not bench.engine.changed


# compose


RECREATE = ServiceChange("core", "web", Change.RECREATE, "image", "app:1", "app:2")
KEEP = ServiceChange("core", "db", Change.KEEP)


async def test_up_tells_what_it_would_do_and_looks_at_what_came_of_it() -> None:
    bench = Bench(web(), service("alpha", "core", "db"))
    bench.host.wants = [RECREATE, KEEP]
    outcome = await bench.go(UP)
    assert outcome.exit is Exit.DONE and outcome.hosts[0].text == "running, healthy" and bench.asked[0][1] is Tier.REVERSIBLE
    assert [(i.shape, i.what, i.why) for i in bench.operation.interrupts] == [
        ("↻", "core/web", "is recreated: image, app:1 → app:2")
    ]
    assert bench.operation.commands == ("ssh -p 2222 cockpit@alpha.test sudo cockpit-transaction compose up core web",)
    assert bench.host.composed == [(UP, "core", "web", {"run": "run0", "who": "ada", "origin": "desk"})]
    assert any(isinstance(e, Output) and e.text == "docker compose up" for e in bench.run.log)
    bench.engine.details["db"] = unhealthy
    outcome = await bench.go(UP, "alpha/core")
    assert outcome.exit is Exit.FAILED and "core/db is unhealthy" in outcome.hosts[0].text
    assert bench.operation.action == "project.up"


async def test_up_of_a_proxy_is_an_outage_and_nothing_to_do_asks_nobody() -> None:
    bench = Bench(web(ports=(443,)), service("alpha", "core", "db"))
    bench.host.wants = [RECREATE, KEEP]
    await bench.go(UP, "alpha/core")
    assert bench.asked[0][1] is Tier.OUTAGE
    outcome = await bench.go(UP, "alpha/core/db")
    assert outcome.exit is Exit.DONE and outcome.hosts[0].text == "runs as the release says" and len(bench.asked) == 1
    assert len(bench.host.composed) == 1


async def test_down_is_an_outage_and_keeps_volumes() -> None:
    bench = Bench()
    bench.host.wants = [KEEP, replace(KEEP, service="web")]
    bench.host.on_compose = lambda verb, project, name: setattr(bench.engine, "all", [])
    outcome = await bench.go(DOWN, "alpha/core/web")
    assert (outcome.exit, outcome.hosts[0].host) == (Exit.DONE, "alpha/core") and bench.asked[0][1] is Tier.OUTAGE
    assert "volumes are kept" in bench.operation.afterwards[0].why and "-v" not in " ".join(bench.operation.commands)
    assert bench.operation.interrupts[0].what == "core/web"


async def test_down_that_left_something_failed() -> None:
    bench = Bench()
    outcome = await bench.go(DOWN, "alpha/core")
    assert outcome.exit is Exit.FAILED and "web is still there" in outcome.hosts[0].why


async def test_a_pull_says_what_is_newer() -> None:
    bench = Bench()
    bench.host.wants = [replace(KEEP, service="web")]
    bench.host.answer = {"done": "pull", "images": [{"service": "web", "image": "app:1", "old": "sha256:1", "new": "sha256:2"}]}
    outcome = await bench.go(PULL)
    assert outcome.hosts[0].text == "a newer image for web: u takes it" and bench.asked[0][1] is Tier.REVERSIBLE
    bench.host.answer = {"done": "pull", "images": [{"service": "web", "image": "app:1", "old": "sha256:2", "new": "sha256:2"}]}
    assert (await bench.go(PULL)).hosts[0].text == "nothing newer"


async def test_a_lost_connection_is_decided_by_what_the_host_then_says() -> None:
    bench = Bench()
    bench.host.wants, bench.host.lose_compose = [RECREATE], OutcomeUnknown("alpha did not tell how it ended")
    assert (await bench.go(UP)).exit is Exit.UNKNOWN
    bench.host.on_compose = lambda verb, project, name: setattr(bench.host, "wants", [replace(KEEP, service="web")])
    bench.host.wants = [RECREATE]
    assert (await bench.go(UP)).exit is Exit.DONE


async def test_what_the_host_refuses() -> None:
    bench = Bench()
    bench.host.trouble.unreachable = True
    assert (await bench.go(UP)).exit is Exit.UNREACHABLE and not bench.asked


# shell


async def test_a_shell_is_let_through_by_the_gate_and_recorded() -> None:
    bench = Bench()
    with pytest.raises(Refused, match="not armed"):
        await bench.actions.shell(web())
    bench.gate.arm()
    assert await bench.actions.shell(web()) == 0 and bench.shell.opened == [web()]
    assert bench.audit.all[0]["action"] == "service.shell" and "docker exec" in bench.audit.all[0]["commands"][0]
    bench.shell.code = 127
    with pytest.raises(OperationFailed, match="no shell in core/web"):
        await bench.actions.shell(web())
    with pytest.raises(Refused, match="does not run"):
        await bench.actions.shell(web(State.EXITED))


# by id


def test_operations_by_id() -> None:
    cockpit = homelab().cockpit
    with pytest.raises(UsageError, match=r"no operation .service.restrat") as error:
        operation(cockpit, "service.restrat", ["alpha/core/web"])
    assert error.value.hint == "did you mean service.restart?"
    for action, target in (
        ("service.restart", "web"),
        ("project.down", "alpha/core/web"),
        ("snapshot.delete", "home/101"),
        ("guest.start", "home/1@x"),
    ):
        with pytest.raises(UsageError):
            operation(cockpit, action, [target])


async def test_one_of_several_replicas() -> None:
    bench = Bench(web(), web(container="second", number=2))
    assert (await bench.go(RESTART, "alpha/core/web/2")).hosts[0].host == "alpha/core/web/2"
    assert bench.engine.changed == [("second", RESTART)]
