"""The SSH connection against OpenSSH, in a container of the lab's image."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cockpit.adapters.ssh import SshConnection
from cockpit.domain.errors import HostKeyMismatch, Unreachable
from cockpit.domain.settings import HostSettings
from tests.lab.engine import missing
from tests.lab.host import ensure_image

pytestmark = pytest.mark.timeout(900)  # the first use on a machine builds the lab's image

START = """
set -e
useradd -m -p '*' tester
mkdir -p /run/sshd /home/tester/.ssh
echo "$KEY" >/home/tester/.ssh/authorized_keys
chown -R tester /home/tester/.ssh
chmod 700 /home/tester/.ssh
echo 'tester ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/tester
ssh-keygen -A >/dev/null
exec /usr/sbin/sshd -D -e
"""


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@dataclass(frozen=True)
class Machine:
    """A container with sshd and a user `tester`."""

    name: str
    port: int
    key: str

    def run(self, *argv: str) -> str:
        return docker("exec", self.name, *argv)

    def runs(self, word: str) -> bool:
        """Whether a program with this word among its arguments lives there."""
        return word in self.run("ps", "-eo", "args").replace("ps -eo args", "")

    async def ends(self, word: str) -> bool:
        until = time.monotonic() + 5
        while await asyncio.to_thread(self.runs, word):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.1)
        return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / ".ssh").mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / ".ssh/id_ed25519")], check=True)
    return folder


@pytest.fixture(scope="module")
def machine(home: Path) -> Iterator[Machine]:
    if reason := missing():
        pytest.skip(f"no container with sshd: {reason}")
    name = f"contract-ssh-{secrets.token_hex(4)}"
    key = (home / ".ssh/id_ed25519.pub").read_text().strip()
    options = ("--name", name, "-e", f"KEY={key}", "-p", "127.0.0.1::22", "--entrypoint", "/bin/sh")
    docker("run", "-d", "--rm", *options, ensure_image(), "-c", START)
    try:
        until = time.monotonic() + 30
        while "listening" not in subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True).stderr:
            assert time.monotonic() < until, docker("logs", name)
            time.sleep(0.1)
        port = int(docker("port", name, "22").splitlines()[0].rpartition(":")[2])
        own = " ".join(docker("exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        yield Machine(name, port, own)
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True, timeout=60)


@pytest.fixture
async def host(machine: Machine, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SshConnection]:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    found = SshConnection(settings(machine, machine.key))
    yield found
    await found.close()


def settings(machine: Machine, key: str | None) -> HostSettings:
    return HostSettings("alpha", f"127.0.0.1:{machine.port}", user="tester", host_key=key)


async def test_commands_codes_and_much_input(host: SshConnection) -> None:
    data = bytes(range(256)) * 20_000
    assert (await host.exec("cat", stdin=data, deadline=60)).out == data
    answer = await host.exec("echo out; echo err >&2; exit 7")
    assert (answer.code, answer.out, answer.err) == (7, b"out\n", b"err\n")
    assert (await host.exec("kill -KILL $$")).code == 255


async def test_known_hosts_and_a_key_that_is_not_the_pinned_one(machine: Machine, host: SshConnection, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{machine.port} {machine.key}\n")
    other = SshConnection(settings(machine, None), file)
    assert (await other.exec("true")).code == 0
    await other.close()
    wrong = machine.key[:-4] + ("AAAA" if machine.key[-4:] != "AAAA" else "BBBB")
    with pytest.raises(HostKeyMismatch) as caught:
        await SshConnection(settings(machine, wrong)).exec("true")
    assert caught.value.why.count("SHA256:") == 2


async def by_cancelling(host: SshConnection, command: str) -> None:
    task = asyncio.ensure_future(host.exec(command, deadline=60))
    await asyncio.sleep(1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def by_the_deadline(host: SshConnection, command: str) -> None:
    with pytest.raises(Unreachable):
        await host.exec(command, deadline=1)


async def by_leaving_lines(host: SshConnection, command: str) -> None:
    lines = aiter(host.lines(f"echo; {command}"))
    await anext(lines)
    await lines.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", [by_cancelling, by_the_deadline, by_leaving_lines])
@pytest.mark.parametrize(
    "command", ["sleep {n} & sleep {n} | cat; wait", "(while sleep {n}; do :; done) & tail -F /etc/passwd", "sudo -n sleep {n}"]
)
async def test_what_is_given_up_ends_with_all_its_children(
    machine: Machine, host: SshConnection, way: Callable[[SshConnection, str], Awaitable[None]], command: str
) -> None:
    number = str(10_000 + secrets.randbelow(80_000))
    await way(host, command.format(n=number))
    assert await machine.ends(number)


SERVE = """
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Local => "/tmp/echo.sock", Listen => 1) or die;
$| = 1; print "ready\\n";
my $c = $s->accept; sysread($c, my $text, 99); syswrite($c, uc $text); close $c;
"""


async def test_a_forwarded_socket(host: SshConnection) -> None:
    serving = asyncio.ensure_future(host.exec("perl -", stdin=SERVE.encode(), deadline=30))
    while (await host.exec("test -S /tmp/echo.sock")).code != 0:
        assert not serving.done(), serving.result()
    local = await host.forward("/tmp/echo.sock")
    assert Path(local).parent.stat().st_mode & 0o777 == 0o700
    reader, writer = await asyncio.open_unix_connection(local)
    writer.write(b"hello")
    assert await reader.read() == b"HELLO"
    writer.close()
    await writer.wait_closed()
    assert (await serving).code == 0
