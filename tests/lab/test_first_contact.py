"""First contact with a host that has nothing yet: no engine, no projects. The release brings both, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.bare import add_bare, install_bare
from tests.lab.controller import Controller, assert_whole
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

DOCKER = """\
  systemd.services.docker = {
    description = "brought by the release";
    wantedBy = [ "multi-user.target" ];
    after = [ "containerd.service" ];
    serviceConfig = {
      Type = "notify";
      ExecStart = "/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock";
      Delegate = true;
    };
  };
"""


@pytest.fixture(scope="module")
def fresh(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    """The repository; the host runs a system without cockpit and without an engine."""
    made = Homelab(Path(tmp_path_factory.mktemp("homelab")) / "repo", host.name, host.address, host.host_key)
    made.timing = "{wait: 30s, stable: 1s, revert_after: 40s}"
    made.create()
    add_bare(made)
    made.edit(f"nix/hosts/{host.name}.nix", "  systemd.services.marker", DOCKER + "  systemd.services.marker")
    made.commit("an engine")
    install_bare(host, made)
    host.exec(
        """set -e
        systemctl stop docker.service docker.socket
        rm /usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket /etc/init.d/docker
        systemctl daemon-reload"""
    )
    return made


@pytest.fixture(scope="module")
def controller(host: LabHost, fresh: Homelab) -> Controller:
    return Controller(host, fresh)


def test_a_failure_leaves_a_host_without_anything(controller: Controller, host: LabHost, fresh: Homelab) -> None:
    old = host.out("readlink -f /run/current-system")
    fresh.edit("cockpit.yaml", "health: []", 'health: [{http: "http://127.0.0.1:9/", status: 200}]')
    fresh.commit("a check that fails")
    done = controller.run("bootstrap", host.name, "--headless", "--yes")
    assert done.code == 5, done.out
    assert "the host has no container engine yet: the release brings it" in done
    assert host.out("readlink -f /run/current-system /nix/var/nix/profiles/system; cat /boot/loader/default").split() == [old] * 3
    assert host.out("systemctl is-active docker.service || true") == "inactive"
    assert host.out("find /var/lib/cockpit/projects -type l; ls /var/lib/cockpit/projects.json 2>/dev/null || true") == ""
    fresh.git("revert", "--no-edit", "HEAD")


def test_everything_comes_with_the_release(controller: Controller, host: LabHost, fresh: Homelab) -> None:
    done = controller.run("bootstrap", host.name, "--headless", "--yes")
    assert done.code == 0, done.out
    found = assert_whole(host)
    assert len(found.containers) == 10
    assert found.db_password == "correct-horse-1"
    plan = controller.run("plan", "--headless")
    assert (plan.code, "nothing to do" in plan) == (0, True), plan.out
