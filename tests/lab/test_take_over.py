"""First contact with a host on which a project of the release runs from somebody else's folder: refused, or taken over on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.bare import add_bare, install_bare
from tests.lab.controller import Controller, assert_whole
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

FOLDER = "docker inspect core-traefik-1 --format '{{index .Config.Labels \"com.docker.compose.project.working_dir\"}}'"


@pytest.fixture(scope="module")
def homelab(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    made = Homelab(Path(tmp_path_factory.mktemp("homelab")) / "repo", host.name, host.address, host.host_key)
    made.create()
    add_bare(made)
    made.commit("as it is installed")
    install_bare(host, made)
    # what has a relative mount is another container in another folder
    host.exec("mkdir -p /srv/core/data /srv/core/conf; echo mine >/srv/core/data/file")
    for name in ("compose.yaml", "conf/dynamic.txt"):
        host.exec(f"cat >/srv/core/{name}", stdin=made.read(f"compose/core/{name}"))
    host.exec("cd /srv/core && docker compose up -d --wait")
    return made


def test_it_is_refused_and_goes_on(controller: Controller, host: LabHost) -> None:
    before = host.out("docker ps -aq --no-trunc")
    done = controller.run("bootstrap", host.name, "--headless", "--yes")
    assert done.code == 9, done.out
    assert "--take-over moves it" in done
    assert host.out("docker ps -aq --no-trunc") == before
    assert host.out(FOLDER) == "/srv/core"
    assert host.exec("test -e /run/current-system/cockpit", check=False).returncode != 0


def test_it_is_taken_over_and_its_data_stays(controller: Controller, host: LabHost) -> None:
    done = controller.run("bootstrap", host.name, "--headless", "--yes", "--take-over")
    assert done.code == 0, done.out
    assert "data in the old folder stays there" in done
    assert len(assert_whole(host).containers) == 10
    assert host.out(FOLDER) == "/var/lib/cockpit/projects/core"
    assert host.out("cat /srv/core/data/file") == "mine"
    plan = controller.run("plan", "--headless")
    assert (plan.code, "nothing to do" in plan) == (0, True), plan.out
