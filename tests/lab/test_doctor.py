"""Doctor on a real host: what it says of one in good order, and when disk, engine, rights or key are not as they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.controller import Controller
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost


def doctor(controller: Controller, *words: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """(exit code, findings by check)."""
    done = controller.run("doctor", "--output", "json", *words)
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.out.splitlines():
        document = json.loads(line)
        if document["event"] == "Finding":
            found.setdefault(document["check"], []).append(document)
    assert found, done.out
    return done.code, found


def levels(found: dict[str, list[dict[str, Any]]], check: str) -> set[str]:
    return {finding["level"] for finding in found[check]}


def test_a_host_in_good_order(controller: Controller, homelab: Homelab) -> None:
    _, found = doctor(controller, homelab.host)
    fine = ("pinned", "resolves", "answers", "login", "rights", "secrets", "clock")
    assert {check: levels(found, f"hosts.{check}") for check in fine} == {check: {"ok"} for check in fine}
    assert found["hosts.login"][0]["what"] == "as cockpit"
    assert "generation 1" in found["hosts.release"][0]["what"]
    assert levels(found, "engine.answers") == {"ok"} and "API 1." in found["engine.answers"][0]["what"]
    assert found["secrets.hosts"][0]["what"] == f"{homelab.host} reads its 2 files"
    assert levels(found, "compose.parses") == levels(found, "compose.config") == {"ok"}
    assert not any("correct-horse" in json.dumps(finding) for findings in found.values() for finding in findings)


def test_a_disk_that_is_full(controller: Controller, host: LabHost) -> None:
    host.exec("mount -t tmpfs -o size=1m full /boot; head -c 1020000 /dev/zero >/boot/full; df /boot")
    try:
        code, found = doctor(controller)
    finally:
        host.exec("umount /boot")
    full = [finding for finding in found["hosts.space"] if finding["what"].startswith("/boot is ")]
    assert code == 10 and [f["level"] for f in full] == ["fail"] and "configurationLimit" in full[0]["fix"]


def test_an_engine_that_is_stopped(controller: Controller, host: LabHost) -> None:
    host.exec("systemctl stop docker.socket docker", check=False)
    try:
        code, found = doctor(controller)
    finally:
        host.exec("systemctl start docker")
    assert code == 10 and levels(found, "engine.answers") == {"fail"}
    assert found["engine.answers"][0]["why"]
    assert levels(found, "hosts.login") == levels(found, "hosts.rights") == {"ok"}


def test_an_account_that_sudo_does_not_allow(controller: Controller, host: LabHost) -> None:
    host.exec("mkdir -p /root/kept && mv /etc/sudoers.d/* /root/kept/")
    try:
        code, found = doctor(controller)
    finally:
        host.exec("mv /root/kept/* /etc/sudoers.d/")
    assert code == 10
    assert "may not run cockpit-transaction" in found["hosts.rights"][0]["what"]
    assert found["hosts.rights"][0]["fix"] == f"cockpit bootstrap {host.name}"


@pytest.fixture
def original(homelab: Homelab) -> Any:  # noqa: ANN401 - a fixture that puts a file back
    text = homelab.read("cockpit.yaml")
    yield text
    homelab.write("cockpit.yaml", text)


def test_another_key_than_the_pinned_one(controller: Controller, homelab: Homelab, host: LabHost, original: str) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "h" * 43
    homelab.write("cockpit.yaml", original.replace(homelab.host_key, other))
    code, found = doctor(controller)
    assert code == 10
    assert "is not the host that is pinned" in found["hosts.login"][0]["what"]
    assert levels(found, "hosts.answers") == {"ok"}
    assert levels(found, "hosts.space") == levels(found, "engine.answers") == {"skipped"}


def test_a_host_that_is_not_there(controller: Controller, homelab: Homelab, host: LabHost, original: str) -> None:
    homelab.write("cockpit.yaml", original.replace(f"address: {host.address}", "address: 172.31.77.254"))
    code, found = doctor(controller)
    assert code == 10
    assert levels(found, "hosts.answers") == {"fail"}  # the one cause; what follows from it is not another
    assert levels(found, "hosts.login") == levels(found, "hosts.rights") == {"skipped"}
    assert "172.31.77.254" in found["hosts.login"][0]["what"]
    # what needs no host was looked at all the same
    assert levels(found, "compose.parses") == levels(found, "machine.git") == {"ok"}
