"""The commands that only look."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cockpit.domain.errors import Exit, Unreachable
from cockpit.domain.services import Health, LogLine, State
from cockpit.observe.guests import Guests
from tests.unit.fake_hypervisor import FakeHypervisor, guest
from tests.unit.fakes import Homelab, homelab
from tests.unit.test_cli import cli


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def documents(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_services_of_all_hosts_in_one_table() -> None:
    lab = homelab()
    engine = lab.engines["alpha"]
    engine.all = [replace(engine.all[0], state=State.EXITED, exit_code=137, oom=True), *engine.all[1:]]
    code, text = cli(lab, "services")
    lines = text.splitlines()
    assert code is Exit.DONE and lines[0].split()[:3] == ["HOST", "SERVICE", "STATE"]
    assert "exited (137), out of memory" in text
    code, text = cli(homelab(), "services", "alpha", "--output", "json")
    found = documents(text)
    assert {d["event"] for d in found} == {"Service"} and {d["host"] for d in found} == {"alpha"}
    assert found[0]["health"] in {h.value for h in Health}


def test_one_dead_host_is_an_error_beside_the_others() -> None:
    lab = homelab()
    lab.beta.trouble.unreachable = True
    code, text = cli(lab, "generations")
    assert code is Exit.UNREACHABLE
    assert any(line.startswith("alpha") and "141" in line for line in text.splitlines())
    assert "✕ beta does not answer" in text and "hint: is it on?" in text


def test_releases_newest_first_and_no_more_than_asked_for() -> None:
    lab = homelab()
    cli(lab, "deploy", "alpha", "--yes")
    lab.clock.time += 60
    cli(lab, "rollback", "alpha", "--yes")
    code, text = cli(lab, "releases", "--output", "json", "--limit", "1")
    (only,) = documents(text)
    assert code is Exit.DONE and only["kind"] == "rollback" and only["outcome"] == "done" and only["hosts"] == ["alpha"]


def with_guests(lab: Homelab) -> FakeHypervisor:
    hypervisor = FakeHypervisor(guest(100, "web"), guest(101, "db", "stopped"))
    lab.cockpit.fleet.guests = Guests({"home": hypervisor}, lab.clock)
    return hypervisor


def test_guests_of_clusters() -> None:
    lab = homelab()
    with_guests(lab)
    code, text = cli(lab, "guests")
    assert code is Exit.DONE and text.splitlines()[0].split()[:4] == ["CLUSTER", "NODE", "ID", "GUEST"]
    code, text = cli(lab, "guests", "no*")
    assert code is Exit.USAGE and "no cluster matches 'no*'" in text and "home" in text
    code, text = cli(homelab(), "guests")
    assert code is Exit.USAGE and "names no clusters" in text


def test_drift_says_what_is_not_as_git_says() -> None:
    lab = homelab()
    cli(lab, "deploy", "--yes")
    assert cli(lab, "drift") == (Exit.DONE, "")
    lab.alpha.failed_units = ("backup.service",)
    lab.alpha.stopped = ("core/web",)
    code, text = cli(lab, "drift", "--output", "json")
    assert code is Exit.TO_DO
    assert {"unit", "service"} <= {d["layer"] for d in documents(text)}
    assert lab.alpha.calls.count("run") == 1, "looking deploys nothing"


def line(service: str, time: float, text: str) -> LogLine:
    return LogLine("alpha", "core", service, time, text)


def test_logs_are_merged_by_time_and_bounded() -> None:
    lab = homelab()
    engine = lab.engines["alpha"]
    now = lab.clock.now()
    web = next(s for s in engine.all if s.service == "web")
    engine.all = [web, replace(web, service="db", container="d" * 64)]
    lab.engines["beta"].all = []
    engine.lines = [
        line("web", now - 90, "old"),
        line("web", now - 3, "one"),
        line("db", now - 2, "two"),
        line("web", now - 1, "\x1b[31mred"),
    ]
    code, text = cli(lab, "logs", "core", "--since", "1m")
    assert code is Exit.DONE
    assert [row.partition(" │ ")[2] for row in text.splitlines()] == ["one", "two", "red"]
    code, text = cli(lab, "logs", "alpha/core/w*", "--tail", "1", "--output", "json")
    assert [d["service"] for d in documents(text)] == ["web"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "no service matches 'nothing'"),
        (("core", "--since", "soon"), "it is an age"),
        (("core", "--tail", "0"), "--tail 0"),
    ],
)
def test_bad_questions(arguments: tuple[str, ...], words: str) -> None:
    code, text = cli(homelab(), "logs", *arguments)
    assert code is Exit.USAGE and words in text


def test_logs_of_a_host_that_is_gone_are_told_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = homelab()

    async def gone() -> None:
        raise Unreachable("the engine of beta does not answer")

    monkeypatch.setattr(lab.cockpit.fleet.services["beta"], "_read", gone)
    code, text = cli(lab, "logs", "core")
    assert code is Exit.UNREACHABLE and "the engine of beta does not answer" in text
