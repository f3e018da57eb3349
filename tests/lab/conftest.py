"""Fixtures of the lab: one host a module, made from nothing in seconds, with generation 1 deployed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.controller import Controller
from tests.lab.engine import Engine, missing
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost, of_this_run, sweep

_numbers = iter(range(20, 250))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = missing()
    for item in items:
        if "tests/lab/" in str(item.path):
            item.add_marker(pytest.mark.lab)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


def _worker() -> int:
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw") or 0)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    handle = Engine()
    handle.start()
    sweep()
    yield handle
    handle.stop()


@pytest.fixture(scope="module")
def host(engine: Engine, request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A running host without a generation."""
    name = "lab-" + request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    made = LabHost.create(name, next(_numbers) + 60 * _worker(), of_this_run(name))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def homelab(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Homelab:
    """Its repository, with generation 1 installed from the first commit."""
    made = Homelab(Path(tmp_path_factory.mktemp("homelab")) / "repo", host.name, host.address, host.host_key)
    made.create()
    host.install(made)
    return made


@pytest.fixture(scope="module")
def controller(host: LabHost, homelab: Homelab) -> Controller:
    return Controller(host, homelab)
