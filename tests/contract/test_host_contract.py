"""The cases of a host, on the simulator. tests/lab runs the same ones on a real host."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.contract.host_cases import *  # noqa: F403 - the cases
from tests.contract.host_cases import Place
from tests.contract.simulated import simulated


@pytest.fixture
async def place() -> AsyncGenerator[Place]:
    with simulated() as world:
        ssh = world.ssh("homelab")
        folder = world.config.parent
        made = Place(
            folder, world.host("homelab", ssh), {"wait": 20, "stable": 2, "revert_after": 30},
            ("compose/home/compose.yaml", "homepage:v1.12.3", "homepage:v1.13.0"),
            ("compose/paperless/compose.yaml", "http://127.0.0.1:8000", "http://127.0.0.1:8001"), "paperless/web",
        )  # fmt: skip
        # what the demo leaves to deploy is deployed: from here on a change is one change
        await made.through(await made.prepared(made.git("rev-parse", "HEAD")))
        yield made
        await ssh.close()
        assert world.log == ""
