"""The cases of tests/contract/host_cases.py on a real host: the simulator answers them in the same words."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from cockpit import config
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.ssh import SshConnection
from tests.contract.host_cases import *  # noqa: F403 - the cases
from tests.contract.host_cases import Place
from tests.lab.controller import Controller, assert_whole
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

_runs = 0


@pytest.fixture
async def place(host: LabHost, homelab: Homelab, controller: Controller) -> AsyncGenerator[Place]:
    """Every case begins with the first commit's release and no hold, and ends with a whole host."""
    global _runs
    homelab.git("reset", "-q", "--hard", homelab.git("rev-list", "--max-parents=0", "HEAD"))
    done = controller.deploy("--resume", "--allow-rewind")
    assert done.code == 0, done.out
    settings = config.load(homelab.path / "cockpit.yaml").hosts[homelab.host]
    ssh = SshConnection(settings, None, host.home / ".ssh/config")
    made = Place(
        homelab.path, NixosHost(settings, ssh, SystemClock()), {"wait": 12, "stable": 1, "revert_after": 30},
        ("compose/home/compose.yaml", "homepage:\n    image: cockpit-lab/app:1", "homepage:\n    image: cockpit-lab/app:2"),
        ("compose/core/compose.yaml", "http://127.0.0.1:8000/dynamic.txt", "http://127.0.0.1:8000/nowhere.txt"), "core/traefik",
        _runs,
    )  # fmt: skip
    yield made
    _runs = made.runs
    await ssh.close()
    assert_whole(host)
