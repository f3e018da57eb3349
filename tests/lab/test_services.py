"""Services by hand on a real host: what the keys do."""

from __future__ import annotations

import json

import pytest

from tests.lab.controller import Controller, assert_whole, world
from tests.lab.host import LabHost


@pytest.fixture(scope="module", autouse=True)
def deployed(controller: Controller) -> None:
    done = controller.deploy()
    assert done.code == 0, done.out


def state(host: LabHost, name: str) -> str:
    return host.out(f"docker inspect -f '{{{{.State.Status}}}}' {name}")


def test_stop_is_drift_and_up_makes_it_whole(controller: Controller, host: LabHost) -> None:
    target = f"{host.name}/home/homepage"
    refused = controller.run("do", "service.stop", target)
    assert refused.code == 9 and "--yes" in refused.out, refused.out
    assert state(host, "home-homepage-1") == "running"
    done = controller.run("do", "service.stop", target, "--yes")
    assert done.code == 0, done.out
    assert state(host, "home-homepage-1") == "exited"
    drift = controller.run("drift", host.name, "--output", "json")
    assert drift.code == 10, drift.out
    assert [d["what"] for d in map(json.loads, drift.out.splitlines()) if d.get("layer") == "service"] == ["home/homepage"]
    done = controller.run("do", "service.up", target, "--yes")
    assert done.code == 0, done.out
    assert_whole(host)


def test_restart_is_judged_by_the_container(controller: Controller, host: LabHost) -> None:
    before = host.out("docker inspect -f '{{.State.StartedAt}}' observe-gotify-1")
    done = controller.run("do", "service.restart", f"{host.name}/observe/gotify", "--yes")
    assert done.code == 0, done.out
    assert host.out("docker inspect -f '{{.State.StartedAt}}' observe-gotify-1") != before
    assert_whole(host)


def test_a_project_goes_down_and_comes_back(controller: Controller, host: LabHost) -> None:
    done = controller.run("do", "project.down", f"{host.name}/home", "--yes")
    assert done.code == 0, done.out
    assert not [name for name in world(host).containers if name.startswith("home/")]
    done = controller.run("do", "project.up", f"{host.name}/home", "--yes")
    assert done.code == 0, done.out
    assert_whole(host)
