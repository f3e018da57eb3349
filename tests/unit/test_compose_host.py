"""The verb `compose` as the controller hears it: lines, answer, refusals, and a connection that is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.ssh import Answer, SshConnection
from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Locked, OperationFailed, OutcomeUnknown, Refused, Unreachable
from cockpit.domain.plan import Change, ServiceChange
from cockpit.domain.settings import HostSettings
from tests.unit.fake_clock import FakeClock

LOST = Unreachable("the connection to cockpit@alpha was lost", "reset")


class Ssh:
    """Answers one command; `parts` that are errors are raised in their turn."""

    def __init__(self, *parts: tuple[str, bytes] | Unreachable, answer: Answer | None = None) -> None:
        self.parts = parts
        self.answer = answer or Answer(0, b"", b"")
        self.commands: list[str] = []
        self.stdin = b""
        self.down = False

    async def exec(self, command: str, **more: object) -> Answer:
        if self.down:
            raise LOST
        self.commands.append(command)
        return self.answer

    async def both(self, command: str, *, deadline: float, stdin: bytes = b"") -> AsyncIterator[tuple[str, bytes]]:
        self.commands.append(command)
        self.stdin = stdin
        for part in self.parts:
            if isinstance(part, Unreachable):
                raise part
            yield part


def host(ssh: Ssh) -> NixosHost:
    return NixosHost(HostSettings("alpha", "alpha.test"), cast(SshConnection, ssh), FakeClock())


async def up(ssh: Ssh) -> list[str | dict[str, Any]]:
    return [told async for told in host(ssh).compose(Lifecycle.UP, "core", "web", {"run": "k3x9q2ab"})]


async def test_lines_as_they_come_then_the_answer() -> None:
    ssh = Ssh(("err", b"Container core-web-1  \x1b[32mStarted\n"), ("out", b'{"done": "up"}'), ("code", b"0"))
    assert await up(ssh) == ["Container core-web-1  Started", {"done": "up"}]
    assert ssh.commands[-1].endswith("cockpit-transaction compose up core web") and json.loads(ssh.stdin) == {"run": "k3x9q2ab"}


async def test_what_compose_said_last_is_why() -> None:
    error = json.dumps({"error": {"exit": 12, "what": "core/web could not be brought up", "why": "", "hint": ""}}).encode()
    ssh = Ssh(("err", b"port is already allocated\n"), ("err", b"\n"), ("out", error), ("code", b"12"))
    with pytest.raises(OperationFailed) as caught:
        await up(ssh)
    assert caught.value.why == "port is already allocated"


@pytest.mark.parametrize(("number", "kind"), [(7, Locked), (9, Refused)])
async def test_what_is_refused(number: int, kind: type[Exception]) -> None:
    error = json.dumps({"error": {"exit": number, "what": "no", "why": "because", "hint": "wait"}}).encode()
    with pytest.raises(kind):
        await up(Ssh(("out", error), ("code", str(number).encode())))


async def test_a_lost_connection_is_unknown_once_it_was_asked() -> None:
    with pytest.raises(OutcomeUnknown):
        await up(Ssh(("err", b"pulling\n"), LOST))
    with pytest.raises(OutcomeUnknown):
        await up(Ssh(LOST))
    ssh = Ssh()
    ssh.down = True
    with pytest.raises(Unreachable, match="was lost"):
        await up(ssh)
    assert not ssh.commands


async def test_a_plan_is_understood_and_hostile_words_are_harmless() -> None:
    rows = [
        {
            "project": "core",
            "service": "web\x1b[2J",
            "change": "recreate",
            "why": "image",
            "old_image": "a:1",
            "new_image": "a:2",
        },
        {"project": "core", "service": "db", "change": "keep"},
        {"project": "core", "service": "odd", "change": "melt"},
        "nonsense",
    ]
    ssh = Ssh(answer=Answer(0, json.dumps({"project": "core", "services": rows}).encode(), b""))
    assert await host(ssh).compose_plan("core") == (
        ServiceChange("core", "web", Change.RECREATE, "image", "a:1", "a:2"),
        ServiceChange("core", "db", Change.KEEP),
    )
