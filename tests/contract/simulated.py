"""A simulated homelab for tests: its settings, and real adapters that lead into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cockpit import config
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.docker.engine import DockerEngine
from cockpit.adapters.git.repository import GitRepository
from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.settings import Settings
from cockpit.simulator import launch

PACE = 0.05


@dataclass
class Simulated:
    settings: Settings
    config: Path
    environment: dict[str, str]

    @property
    def repository(self) -> GitRepository:
        return GitRepository(self.config.parent)

    @property
    def log(self) -> str:
        return (self.config.parents[1] / "simulator.log").read_text(encoding="utf-8")

    def ssh(self, host: str) -> SshConnection:
        return SshConnection(self.settings.hosts[host])

    def host(self, name: str, ssh: SshConnection) -> NixosHost:
        return NixosHost(self.settings.hosts[name], ssh, SystemClock())

    def engine(self, name: str, ssh: SshConnection) -> DockerEngine:
        return DockerEngine(name, partial(ssh.forward, "/run/docker.sock"), SystemClock())


@contextmanager
def simulated() -> Iterator[Simulated]:
    with launch.demo(pace=PACE) as file, pytest.MonkeyPatch.context() as patch:
        environment = launch.environment(file.parents[1], os.environ)
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield Simulated(config.load(file), file, environment)
