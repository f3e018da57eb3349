"""The SSH connection, against a server on loopback."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from cockpit.adapters import ssh
from cockpit.adapters.ssh import Answer, SshConnection
from cockpit.domain.errors import CockpitError, HostKeyMismatch, Unreachable
from cockpit.domain.settings import HostSettings


class Server:
    """Runs a few commands by name, and remembers what happened to them."""

    def __init__(self, folder: Path, client: asyncssh.SSHKey) -> None:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.started = asyncio.Event()
        self.signals: asyncio.Queue[str] = asyncio.Queue()
        self.port = 0
        self._authorized = folder / "authorized"
        self._authorized.write_bytes(client.export_public_key())
        self._listener: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        outer = self

        class Session(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                outer.connections.append(conn)

            def unix_connection_requested(self, dest_path: str) -> bool:
                return True

        self._listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Session, server_host_keys=[self.key], authorized_client_keys=str(self._authorized),
            process_factory=self._process, encoding=None,
        )  # fmt: skip
        self.port = self._listener.get_port()

    async def stop(self) -> None:
        self.cut()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    def cut(self) -> None:
        for connection in self.connections:
            connection.abort()

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        vars(process)["signal_received"] = self.signals.put_nowait
        self.started.set()
        if command == "cat":
            while chunk := await process.stdin.read(1 << 16):
                process.stdout.write(chunk)
                await process.stdout.drain()
            process.exit(0)
        elif command == "fail":
            process.stdout.write(b"out")
            process.stderr.write(b"one\ntwo\n")
            process.exit(3)
        elif command == "true":
            process.exit(0)
        elif command.startswith("zeros "):
            process.stdout.write(b"\0" * int(command.split()[1]))
            process.exit(0)
        elif command == "killed":
            process.exit_with_signal("KILL")
        elif command == "cut":
            process.stdout.write(b"first\n")
            await process.stdout.drain()
            self.cut()
        else:  # runs until a signal comes
            process.stdout.write(b"first\n")
            process.stderr.write(b"first\n")
            await process.wait_closed()


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    client = asyncssh.generate_private_key("ssh-ed25519")
    client.write_private_key(home / ".ssh/id_ed25519")
    (home / ".ssh/id_ed25519").chmod(0o600)
    found = Server(tmp_path, client)
    await found.start()
    yield found
    await found.stop()


def public(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def settings(port: int, key: str | None) -> HostSettings:
    return HostSettings("alpha", f"127.0.0.1:{port}", host_key=key)


@asynccontextmanager
async def connected(server: Server, key: str | None = "", known_hosts: Path | None = None) -> AsyncIterator[SshConnection]:
    found = SshConnection(settings(server.port, public(server.key) if key == "" else key), known_hosts)
    try:
        yield found
    finally:
        await found.close()


async def test_the_pinned_key_lets_us_in_and_one_connection_is_enough(server: Server) -> None:
    async with connected(server) as host:
        assert host.target == f"cockpit@127.0.0.1:{server.port}"
        answers = await asyncio.gather(*(host.exec("true") for _ in range(5)))
        assert answers == [Answer(0, b"", b"")] * 5
        assert len(server.connections) == 1


async def test_another_key_is_refused_with_both_fingerprints(server: Server) -> None:
    pinned = asyncssh.generate_private_key("ssh-ed25519")
    async with connected(server, public(pinned)) as host:
        with pytest.raises(HostKeyMismatch) as caught:
            await host.exec("true")
    assert caught.value.why == f"pinned {pinned.get_fingerprint()}, offered {server.key.get_fingerprint()}"


async def test_a_pin_of_another_type_is_no_way_in(server: Server) -> None:
    pinned = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    async with connected(server, public(pinned)) as host:
        with pytest.raises(HostKeyMismatch, match="is not the host that is pinned") as caught:
            await host.exec("true")
    assert pinned.get_fingerprint() in caught.value.why


async def test_a_pin_that_is_no_key(server: Server) -> None:
    async with connected(server, "ssh-ed25519 AAAA") as host:
        with pytest.raises(CockpitError):
            await host.exec("true")


async def test_without_a_pin_known_hosts_decides(server: Server, tmp_path: Path) -> None:
    async with connected(server, None) as host:
        with pytest.raises(Unreachable, match=r"host key of .* is not known") as caught:
            await host.exec("true")
        assert "ssh-keyscan" in caught.value.hint
    known = tmp_path / "known"
    known.write_text("")
    async with connected(server, None, known) as host:
        with pytest.raises(HostKeyMismatch):
            await host.exec("true")
    known.write_text(f"[127.0.0.1]:{server.port} {public(server.key)}\n")
    async with connected(server, None, known) as host:
        assert (await host.exec("true")).code == 0


async def test_a_refused_port(server: Server) -> None:
    await server.stop()
    async with connected(server) as host:
        with pytest.raises(Unreachable, match="cannot be reached") as caught:
            await host.exec("true")
        assert not isinstance(caught.value, HostKeyMismatch)


async def test_a_key_that_the_host_does_not_know(server: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    other.write_private_key(Path.home() / ".ssh/id_ed25519")
    async with connected(server) as host:
        with pytest.raises(Unreachable, match="does not let us in") as caught:
            await host.exec("true")
        assert f"({other.get_fingerprint()})" in caught.value.why and "id_ed25519" in caught.value.why
        (Path.home() / ".ssh/id_ed25519").unlink()
        with pytest.raises(Unreachable, match="tried no key at all"):
            await host.exec("true")


LEAN = """
import asyncio, sys
from cockpit.adapters.lean import load_msgspec
load_msgspec()
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.settings import HostSettings
async def main():
    host = SshConnection(HostSettings("alpha", sys.argv[1], host_key=sys.argv[2]))
    print(await host.exec("cat", stdin=b"x"))
    await host.close()
asyncio.run(main())
print("asyncssh.sftp" in sys.modules, "asyncssh.crypto.x509" in sys.modules, "typing_extensions" in sys.modules)
"""


async def test_a_process_that_imports_only_what_it_needs(server: Server) -> None:
    address = f"127.0.0.1:{server.port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", LEAN, address, public(server.key),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert out.decode().splitlines() == [str(Answer(0, b"x", b"")), "False False False"], err.decode()


async def test_a_silent_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "CONNECT_TIMEOUT", 0.2)
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    host = SshConnection(settings(silent.sockets[0].getsockname()[1], public(server.key)))
    with pytest.raises(Unreachable, match=r"does not answer|cannot be reached"):
        await host.exec("true")
    silent.close()
    for writer in writers:
        writer.close()


@pytest.mark.parametrize("size", [0, 5, 1_000_000])
async def test_input_is_passed_on(server: Server, size: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, size, 100_000):
            yield b"x" * min(100_000, size - at)

    async with connected(server) as host:
        assert await host.exec("cat", stdin=b"x" * size) == Answer(0, b"x" * size, b"")
        assert await host.exec("cat", stdin=parts()) == Answer(0, b"x" * size, b"")


async def test_codes_and_both_outputs(server: Server) -> None:
    async with connected(server) as host:
        assert await host.exec("fail") == Answer(3, b"out", b"one\ntwo\n")
        assert [item async for item in host.both("fail", deadline=10)] == [
            ("err", b"one\n"), ("err", b"two\n"), ("out", b"out"), ("code", b"3"),
        ]  # fmt: skip
        assert (await host.exec("killed")).code == 255
        assert [item async for item in host.both("killed", deadline=10)][-1] == ("code", b"255")


async def test_a_command_that_does_not_read_its_input(server: Server) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    async with connected(server) as host:
        assert (await host.exec("fail", stdin=b"x" * 5_000_000)).code == 3
        assert (await host.exec("fail", stdin=endless(), deadline=10)).code == 3


async def test_input_that_cannot_be_made_is_told_and_ends_the_command(server: Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise CockpitError("git failed")

    async with connected(server) as host:
        with pytest.raises(CockpitError, match="git failed"):
            await host.exec("cat", stdin=broken(), deadline=10)
        assert (await host.exec("true")).code == 0


async def test_output_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "MOST_OUTPUT", 100_000)
    async with connected(server) as host:
        assert len((await host.exec("zeros 100000")).out) == 100_000
        with pytest.raises(CockpitError, match="printed too much"):
            await host.exec("zeros 100001")
        with pytest.raises(CockpitError, match="printed too much"):
            _ = [item async for item in host.both("zeros 100001", deadline=10)]


async def test_a_lost_connection_is_told_and_made_anew(server: Server) -> None:
    async with connected(server) as host:
        with pytest.raises(Unreachable, match="was lost"):
            await host.exec("cut")
        assert (await host.exec("true")).code == 0
        with pytest.raises(Unreachable, match="was lost"):
            _ = [line async for line in host.lines("cut")]
        assert (await host.exec("true")).code == 0
        with pytest.raises(Unreachable, match="was lost"):
            _ = [item async for item in host.both("cut", deadline=10)]
        assert (await host.exec("true")).code == 0
        assert len(server.connections) == 4


async def test_lines_come_one_by_one(server: Server) -> None:
    async with connected(server) as host:
        assert [line async for line in host.lines("cat", stdin=b"a\n\nb")] == [b"a\n", b"\n", b"b"]
        with pytest.raises(Unreachable, match="is silent"):
            _ = [line async for line in host.lines("hang", idle=0.1)]


async def by_cancelling(host: SshConnection, server: Server) -> None:
    running = asyncio.ensure_future(host.exec("hang"))
    await server.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def by_the_deadline(host: SshConnection, server: Server) -> None:
    with pytest.raises(Unreachable, match="hang: no end within"):
        await host.exec("hang", deadline=0.5)


async def by_leaving_lines(host: SshConnection, server: Server) -> None:
    found = host.lines("hang")
    assert await anext(found) == b"first\n"
    await found.aclose()  # type: ignore[attr-defined]


async def by_leaving_both(host: SshConnection, server: Server) -> None:
    found = host.both("hang", deadline=10)
    assert await anext(found) == ("err", b"first\n")
    await found.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("stop", [by_cancelling, by_the_deadline, by_leaving_lines, by_leaving_both])
async def test_what_is_given_up_ends_there_too(
    server: Server, stop: Callable[[SshConnection, Server], AsyncIterator[None]]
) -> None:
    async with connected(server) as host:
        await stop(host, server)  # type: ignore[misc]
        assert await asyncio.wait_for(server.signals.get(), 10) == "TERM"
        assert (await host.exec("true")).code == 0


async def test_fresh_is_another_connection_that_ends(server: Server) -> None:
    async with connected(server) as host:
        await host.exec("true")
        async with host.fresh() as other:
            assert (await other.exec("true")).code == 0
            assert len(server.connections) == 2
        await server.connections[1].wait_closed()
        assert (await host.exec("true")).code == 0 and len(server.connections) == 2


async def test_a_socket_of_the_host_is_forwarded(server: Server, tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def ask(path: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        return answer

    remote = await asyncio.start_unix_server(echo, str(tmp_path / "engine.sock"))
    async with connected(server) as host:
        local, again = await asyncio.gather(
            host.forward(str(tmp_path / "engine.sock")), host.forward(str(tmp_path / "engine.sock"))
        )
        assert local == again and Path(local).parent.stat().st_mode & 0o777 == 0o700
        assert await ask(local) == b"hello\n"
        server.cut()
        with suppress(Unreachable):
            await host.exec("true")
        anew = await host.forward(str(tmp_path / "engine.sock"))
        assert await ask(anew) == b"hello\n"
    assert not Path(local).parent.exists()
    remote.close()


async def test_closing_twice_and_coming_back(server: Server) -> None:
    async with connected(server) as host:
        await host.exec("true")
        await host.close()
        await host.close()
        assert (await host.exec("true")).code == 0
