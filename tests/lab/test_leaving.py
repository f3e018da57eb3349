"""Leaving cockpit as docs/leaving.md says, command by command: no container is recreated, stopped or started."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.controller import Controller
from tests.lab.homelab import TOP, Homelab
from tests.lab.host import LabHost
from tests.lab.pipeline import containers

TOKEN = "battery-staple-1"
PROJECTS = "/var/lib/cockpit/projects"


def blocks(language: str) -> list[str]:
    text = (TOP / "docs/leaving.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def gone(controller: Controller, host: LabHost, homelab: Homelab) -> dict[str, str]:
    """Two deploys, then the page's steps 1 to 3. The containers as they were before."""
    homelab.write("compose/core/conf/dynamic.txt", "routers: 9\n")
    homelab.write("compose/home/.env", "GREETING=hello\n")
    homelab.commit("nine routers")
    assert controller.deploy().code == 0
    homelab.write("compose/paperless/broker.conf", "queues = 9\n")
    homelab.commit("nine queues")
    assert controller.deploy().code == 0
    before = containers(host)
    leave, clear, _ = blocks("sh")
    said = json.loads(host.ssh(leave.strip().removeprefix("ssh cockpit@HOST ")).stdout)
    assert said["directories"] == [f"{PROJECTS}/{name}" for name in ("core", "paperless", "observe", "home")]
    assert said["plain"] == [
        "/var/lib/cockpit/left/paperless/db-password",
        "/var/lib/cockpit/left/observe/gotify-token",
    ]
    homelab.edit("nix/flake.nix", "        ./cockpit/modules/cockpit.nix\n", "")
    module = homelab.read(f"nix/hosts/{host.name}.nix")
    kept = "".join(line for line in module.splitlines(keepends=True) if not line.strip().startswith("cockpit."))
    homelab.write(f"nix/hosts/{host.name}.nix", kept.replace("networking.hostName", f"{blocks('nix')[0]}  networking.hostName"))
    homelab.git("rm", "-rq", "nix/cockpit", "cockpit.yaml")
    homelab.commit("without cockpit")
    host.rebuild(homelab)
    host.exec(clear, check=True)
    return before


def up(host: LabHost) -> str:
    command = blocks("sh")[2].strip()
    done = host.exec(f"for d in {PROJECTS}/*/; do (cd $d && {command}) 2>&1 || exit 1; done", timeout=300)
    return done.stdout


def test_the_host_has_no_cockpit(host: LabHost, gone: dict[str, str]) -> None:
    assert host.exec("test -e /run/current-system/sw/bin/cockpit-transaction", check=False).returncode != 0
    assert host.out(f"find {PROJECTS} /etc/systemd/system/ -name '*cockpit*' -mindepth 1") == ""
    assert host.out(f"find {PROJECTS} -type l") == ""
    assert host.out("ls -A /var/lib/cockpit") == "left\nprojects"


def test_every_container_runs_on(host: LabHost, gone: dict[str, str]) -> None:
    assert containers(host) == gone


def test_plain_compose_recreates_nothing(host: LabHost, gone: dict[str, str]) -> None:
    said = up(host)
    assert "Recreate" not in said and "Creating" not in said, said
    # a one-shot is started again by every `up`, as compose always did
    assert {name: line for name, line in containers(host).items() if "migrate" not in name} == {
        name: line for name, line in gone.items() if "migrate" not in name
    }
    host.exec(f"for d in /root/checkout/compose/*; do cp -rT $d {PROJECTS}/$(basename $d); done")
    said = up(host)
    assert "Recreate" not in said and "Creating" not in said, said


def test_it_boots_and_secrets_are_there(host: LabHost, gone: dict[str, str]) -> None:
    host.kill()
    host.start()
    ids = {name: line.split()[1] for name, line in containers(host).items()}
    assert ids == {name: line.split()[1] for name, line in gone.items()}
    assert host.out("docker exec observe-gotify-1 sh -c 'id -u; cat /run/secrets/gotify-token'").split() == ["1000", TOKEN]
    assert host.out("docker exec paperless-broker-1 cat /etc/app/broker.conf") == "queues = 9"
    said = up(host)
    assert "Recreate" not in said and "Creating" not in said, said
