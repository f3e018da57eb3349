"""From the image to the first deploy: a host in the image's state has no cockpit and no secret, until `cockpit bootstrap` ends that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.controller import Controller
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost
from tests.lab.shipped import shipped


@pytest.fixture(scope="module")
def homelab(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    """The host runs what the image holds; the repository is one commit further, as it is shipped."""
    made = shipped(Path(tmp_path_factory.mktemp("first")) / "repo", host)
    host.load_images(made.image)
    file = f"nix/hosts/{host.name}/default.nix"
    made.edit(file, "cockpit.root", "homelab.firstBoot = true;\n  cockpit.root")
    made.commit("what the image adds")
    host.rebuild(made)
    made.git("revert", "--no-edit", "HEAD")
    return made


def test_the_image_has_people_and_nothing_of_cockpit(homelab: Homelab, host: LabHost) -> None:
    assert host.ssh("sudo -n id -un", user="admin").stdout.strip() == "root"
    assert host.exec("test -e /run/current-system/cockpit", check=False).returncode == 1
    assert host.out("ls /etc/static/systemd/system | grep cockpit || true") == ""
    assert host.out("docker ps -aq") == ""
    assert host.out("docker network inspect -f '{{.Internal}}' proxy socket").split() == ["false", "true"]


def test_bootstrap_makes_it_a_host_that_is_deployed(controller: Controller, homelab: Homelab, host: LabHost) -> None:
    done = controller.run("bootstrap", host.name, "--headless", "--yes", "--user", "admin")
    assert done.code == 0, done.out
    commit = homelab.git("rev-parse", "HEAD")
    assert host.out("/run/current-system/sw/bin/nixos-version --configuration-revision") == commit
    assert host.out("docker exec web-web-1 cat /run/secrets/token") == "correct-horse"
    homelab.edit("compose/web/page.txt", "one", "two")
    homelab.commit("a page")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert host.out("docker exec web-web-1 cat /etc/page.txt") == "two"
