"""The commands that only look."""

from __future__ import annotations

import json

import pytest

from cockpit.domain.errors import Exit
from cockpit.observe.guests import Guests
from tests.unit.fake_hypervisor import FakeHypervisor, guest
from tests.unit.fakes import Homelab, homelab
from tests.unit.test_cli import cli


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def documents(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


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
