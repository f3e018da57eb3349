"""The command of a shell in a container: through ssh with the host's own pins, past the person's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cockpit.adapters.docker.shell import SystemShell, ssh_command
from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.settings import HostSettings
from tests.unit.fake_containers import service

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"
HOST = HostSettings("alpha", "100.64.0.7:2222", host_key=KEY)
WEB = replace(service("alpha", "core", "web"), container="0123456789ab")


def test_the_pinned_key_alone_counts() -> None:
    words = ssh_command(HOST, "/tmp/pins", Path("/etc/others"))
    assert words[:2] == ("ssh", "-t") and words[-6:] == ("-p", "2222", "-l", "cockpit", "--", "100.64.0.7")
    options = {words[i + 1] for i, word in enumerate(words) if word == "-o"}
    assert {
        "StrictHostKeyChecking=yes", "UserKnownHostsFile=/tmp/pins", "GlobalKnownHostsFile=/dev/null",
        "HostKeyAlias=cockpit-pinned", "HostKeyAlgorithms=ssh-ed25519", "ControlPath=none", "ForwardAgent=no",
    } <= options  # fmt: skip


def test_without_a_pin_known_hosts_decides() -> None:
    words = ssh_command(replace(HOST, host_key=None), "", Path("/etc/known"))
    assert "UserKnownHostsFile=/etc/known" in words and "StrictHostKeyChecking=yes" in words
    assert not any("HostKeyAlias" in word or "UserKnownHostsFile=/tmp" in word for word in words)


async def test_the_pin_is_there_while_it_runs_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    script = "#!/bin/sh\nfor w; do case $w in UserKnownHostsFile=*) f=${w#*=};; esac; done\n"
    script += f'{{ echo "$f"; stat -c %a "$(dirname "$f")"; cat "$f"; for w; do :; done; echo "$w"; }} >{told}\nexit 7\n'
    (tmp_path / "ssh").write_text(script)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert await SystemShell({"alpha": HOST}).open(WEB) == 7
    file, mode, pin, command = told.read_text().splitlines()
    assert (mode, pin) == ("700", f"cockpit-pinned {KEY}") and not Path(file).exists()
    assert command.startswith("docker exec -it 0123456789ab sh -c 'for s in") and '"$SHELL" bash ash sh' in command


async def test_what_cannot_be_a_container() -> None:
    shell = SystemShell({"alpha": HOST})
    with pytest.raises(Refused, match="no container"):
        shell.command(replace(WEB, container=""))
    with pytest.raises(Refused):
        shell.command(replace(WEB, container="x; reboot"))
    with pytest.raises(UsageError, match="no host"):
        shell.command(replace(WEB, host="gamma"))
