"""What changed, from what is read anyway."""

from __future__ import annotations

from msgspec.structs import replace

from cockpit.domain.guests import ClusterSnapshot, GuestTask
from cockpit.domain.services import Health, Service, ServicesSnapshot, State
from cockpit.observe.timeline import Moment, moments
from tests.unit.fake_hypervisor import guest
from tests.unit.fakes import START, homelab
from tests.unit.test_cli import cli


def service(name: str, since: float, **changed: object) -> Service:
    values = {"state": State.RUNNING, "health": Health.NONE, **changed}
    return Service("alpha", "core", name, f"{name:0<12}", name, "app:1", "", since=since, **values)  # type: ignore[arg-type]


def of_services(*services: Service) -> tuple[Moment, ...]:
    return moments([], [ServicesSnapshot("alpha", START, services)], [], [])


def test_services_that_started_together_are_one_line() -> None:
    found = of_services(service("a", START - 100), service("b", START - 60), service("c", START - 5000))
    assert [(m.kind, m.text) for m in found] == [
        ("start", "core/a, core/b of alpha started"), ("start", "core/c of alpha started"),
    ]  # fmt: skip


def test_exits_say_why_and_how_often() -> None:
    found = of_services(
        service("job", START - 9, state=State.EXITED, exit_code=0, oneshot=True),
        service("web", START - 5, state=State.RESTARTING, exit_code=137, oom=True, restarts=6),
        service("kuma", START - 7, health=Health.UNHEALTHY),
    )
    texts = {m.text: m.shape for m in found}
    assert texts["core/web: exit 137, out of memory, 6 restarts"] == "✕"
    assert texts["core/job: exit 0"] == "·"
    assert texts["core/kuma unhealthy since it started"] == "▲"


def test_tasks_of_a_cluster_but_not_of_those_who_only_looked() -> None:
    def task(kind: str, exit_: str, ended: float | None = START - 10) -> GuestTask:
        return GuestTask(f"UPID:{kind}", "home", "pve1", kind, "100", "root@pam", START - 30, ended, exit_)

    tasks = (task("qmstart", "OK"), task("vzdump", "job errors"), task("vncproxy", "OK"), task("qmreboot", "", None))
    seen = ClusterSnapshot("home", START, (guest(100, "web"),), tasks=tasks)
    found = moments([], [], [seen], [])
    assert sorted((m.text, m.shape, m.where) for m in found) == [
        ("pve1: qmreboot 100 web runs", "◐", "home/100"),
        ("pve1: qmstart 100 web, 20s, OK", "·", "home/100"),
        ("pve1: vzdump 100 web, 20s, job errors", "✕", "home/100"),
    ]


def test_releases_as_they_ended() -> None:
    lab = homelab()
    cli(lab, "deploy", "alpha", "--yes")
    lab.clock.time += 60
    cli(lab, "rollback", "alpha", "--yes")
    cli(lab, "releases")
    seen = [o.latest.value for o in lab.cockpit.fleet.hosts.values() if o.latest.value is not None]
    found = [m for m in moments(seen, [], [], lab.cockpit.fleet.releases()) if m.kind == "release"]
    assert [m.shape for m in found] == ["‖", "●"]
    assert "rolled back to" in found[0].text and "runs" in found[1].text and "by ada" in found[1].text


def test_a_boot_and_a_generation_that_somebody_made() -> None:
    lab = homelab()
    cli(lab, "generations")
    (alpha, _) = [o.latest.value for o in lab.cockpit.fleet.hosts.values()]
    assert alpha is not None
    found = moments([replace(alpha, uptime=3600.0)], [], [], [])
    assert any(m.kind == "reboot" and m.time == alpha.host_time - 3600 for m in found)
    assert any(m.kind == "generation" and "141, not by cockpit" in m.text for m in found)


def test_newest_first_and_no_older_than_asked_for() -> None:
    found = moments(
        [], [ServicesSnapshot("alpha", START, (service("a", START - 10), service("b", START - 9000)))], [], [], START - 60
    )
    assert [m.text for m in found] == ["core/a of alpha started"]
