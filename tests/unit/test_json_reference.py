"""Every document that a command really prints has the fields that the reference names, no more and no fewer."""

from __future__ import annotations

import json

import pytest

from cockpit.observe.guests import Guests
from scripts.json_reference import DOCUMENTS, fields
from tests.unit.fake_hypervisor import FakeHypervisor, guest
from tests.unit.fakes import Homelab, homelab
from tests.unit.test_cli import cli


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def printed(lab: Homelab, *argv: str) -> set[str]:
    _, text = cli(lab, *argv, "--output", "json")
    kinds = set()
    for line in text.splitlines():
        document = json.loads(line)
        kind = document.pop("event")
        assert set(document) == {name for name, _ in fields(kind)}, kind
        kinds.add(kind)
    return kinds


def test_what_commands_print_is_what_the_reference_says() -> None:
    lab = homelab()
    lab.cockpit.fleet.guests = Guests({"home": FakeHypervisor(guest(101, "web"))}, lab.clock)
    seen = set()
    for argv in (
        ["status"], ["services"], ["guests"], ["generations"], ["drift"], ["logs", "alpha/core/web"], ["plan", "alpha"],
        ["deploy", "alpha", "--yes"], ["releases"], ["rollback", "beta"], ["do", "service.restart", "beta/core/web"],
        ["status", "nobody"],
    ):  # fmt: skip
        seen |= printed(lab, *argv)
    lab.beta.trouble.unreachable = True
    seen |= printed(lab, "services") | printed(lab, "generations") | printed(lab, "status")
    assert {"Status", "Service", "Guest", "Generation", "Release", "Drift", "LogLine", "Error", "Plan", "Outcome"} <= seen
    assert {"StepStarted", "StepFinished", "Operation", "Finished", "Failed"} <= seen <= set(DOCUMENTS)
