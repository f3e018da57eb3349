"""What looking over a homelab needs from the world, as `cockpit.ports` is what running one needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cockpit.domain.checkup import (
    Certificate,
    FileState,
    HostCheckup,
    Identity,
    MeshStatus,
    Ran,
    Rule,
    SopsProgram,
    Terminal,
)


class Machine(Protocol):
    """The machine that cockpit runs on, and what can be seen from it."""

    def find(self, program: str) -> str:
        """Path of a program; empty where there is none."""

    async def ask(self, argv: Sequence[str], *, deadline: float = 10.0) -> Ran:
        """A local program, to its end. UsageError, CockpitError: it cannot be started, or does not end."""

    def environment(self, name: str) -> str: ...

    def library(self, name: str) -> str:
        """Version of an installed Python package; empty where there is none."""

    def terminal(self) -> Terminal: ...

    def status(self, path: Path) -> FileState | None:
        """Links are followed."""

    async def addresses(self, name: str) -> tuple[str, ...]:
        """IP addresses of a name. Unreachable where it has none."""

    async def greeting(self, host: str, port: int) -> str:
        """The first line that a server there says, empty for one that waits. Unreachable."""

    async def certificate(self, host: str, port: int, name: str) -> Certificate:
        """What the server shows who asks for `name`. Unreachable."""

    async def mesh(self) -> MeshStatus | None:
        """None where tailscale is not there, or its daemon does not answer."""


class Keyring(Protocol):
    """What this machine decrypts with, and whom the repository encrypts for."""

    async def program(self) -> SopsProgram:
        """SecretError where there is none."""

    async def identities(self) -> tuple[Identity, ...]: ...

    async def rules(self) -> tuple[Rule, ...]:
        """Of .sops.yaml, in order. UsageError where it is not there, or no YAML."""


class CheckupHost(Protocol):
    """A host that is looked over. One round trip, no root, nothing is changed."""

    async def checkup(self) -> HostCheckup: ...

    async def certificate(self, name: str, address: str, port: int) -> Certificate:
        """What a server shows the host itself who asks for `name`. Unreachable."""
