"""The only door to remote shells: one connection a host, pinned, reconnecting; asyncssh underneath."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import shlex
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from cockpit.adapters.lean import load_asyncssh
from cockpit.adapters.openssh import Question
from cockpit.domain.errors import CockpitError, HostKeyMismatch, Unreachable
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import plain

if TYPE_CHECKING:
    import asyncssh

CONNECT_TIMEOUT = 10.0
KEEPALIVE = 15
MOST_OUTPUT = 32 * 1024 * 1024
CHUNK = 1 << 16


class Answer(Struct, frozen=True):
    code: int
    out: bytes
    err: bytes


class SshConnection:
    """A host's connection. Every call connects where there is none; a lost one is made anew by the next call."""

    def __init__(
        self,
        settings: HostSettings,
        known_hosts: Path | None = None,
        config: Path | None = None,
        asked: Question | None = None,
    ) -> None:
        """`asked` is on its way already, by OpenSSH's client."""
        self._settings = settings
        self._asked = asked
        self._known_hosts = known_hosts
        self._config = config
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._forwarding = asyncio.Lock()
        self._sockets = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._forwards: dict[str, str] = {}
        self._on_command: Callable[[str], None] | None = None

    @property
    def target(self) -> str:
        """`user@address`, for messages and the journal."""
        return f"{self._settings.user}@{self._settings.address}"

    # ---- connecting ------------------------------------------------------------------------------------------------------

    async def _open(self) -> asyncssh.SSHClientConnection:
        await asyncio.to_thread(load_asyncssh)  # a tenth of a second, in which others go on
        import asyncssh

        settings = self._settings
        known_hosts: object = self._trusted()
        config = self._config or Path.home() / ".ssh/config"
        algorithms: object = ()
        if settings.host_key:
            # a server with several keys must offer the pinned one
            kind = settings.host_key.split()[0]
            algorithms = ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await asyncssh.connect(
                    settings.hostname,
                    **({"port": settings.port} if settings.port != 22 else {}),
                    username=settings.user,
                    known_hosts=known_hosts,
                    server_host_key_algs=algorithms,
                    config=[str(config)] if config.is_file() else None,
                    keepalive_interval=KEEPALIVE,
                    keepalive_count_max=3,
                    connect_timeout=CONNECT_TIMEOUT,
                    login_timeout=CONNECT_TIMEOUT,
                    gss_host=None,
                    x509_trusted_certs=None,
                    compression_algs=["none"],
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise await self._wrong_key(str(error)) from None
        except asyncssh.KeyExchangeFailed as error:
            if "host key" not in str(error):
                raise self._no_way(error) from None
            raise await self._wrong_key(str(error)) from None  # it has no key of the pinned type
        except asyncssh.PermissionDenied as error:
            raise Unreachable(
                f"{self.target} does not let us in",
                f"{error}; tried {', '.join(await self._tried()) or 'no key at all'}",
                f"is your public key in the user's authorized keys, and the agent running? ssh -v {self.target}",
            ) from None
        except TimeoutError:
            raise Unreachable(
                f"{self.target} does not answer",
                f"no connection within {CONNECT_TIMEOUT:.0f}s",
                "is the host up, and the VPN? tailscale status",
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise self._no_way(error) from None

    async def _tried(self) -> list[str]:
        """The keys that asyncssh offered: of the agent, of ssh's configuration or the default files."""
        import asyncssh

        config = self._config or Path.home() / ".ssh/config"
        pairs: list[asyncssh.SSHKeyPair] = []
        if os.environ.get("SSH_AUTH_SOCK"):
            with contextlib.suppress(OSError, ValueError, asyncssh.Error, TimeoutError):
                async with asyncio.timeout(2), asyncssh.connect_agent() as agent:
                    pairs += await agent.get_keys()
        with contextlib.suppress(OSError, ValueError, asyncssh.Error):
            options = asyncssh.SSHClientConnectionOptions(
                host=self._settings.hostname, username=self._settings.user, config=[str(config)] if config.is_file() else None
            )
            pairs += options.client_keys or ()
        found: dict[str, None] = {}
        for pair in pairs:
            digest = base64.b64encode(hashlib.sha256(pair.public_data).digest()).decode().rstrip("=")
            found[plain(f"{pair.get_comment(errors='replace') or pair.get_algorithm()} (SHA256:{digest})")] = None
        return list(found)

    def _no_way(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"{self.target} cannot be reached",
            str(error) or type(error).__name__,
            "is the host up, and the VPN? tailscale status",
        )

    def _trusted(self) -> object:
        """What asyncssh takes for known hosts: the pinned key alone, else a file. Never nothing, which would trust anybody."""
        if self._settings.host_key:
            return f"* {self._settings.host_key}\n".encode()
        path = self._known_hosts or Path.home() / ".ssh/known_hosts"
        if not path.is_file():
            raise Unreachable(
                f"the host key of {self.target} is not known",
                f"host_key is not set, and there is no {path}",
                f"ssh-keyscan -t ed25519 {self._settings.hostname}, compare it, and write it to host_key:",
            )
        return str(path)

    async def _wrong_key(self, why: str) -> HostKeyMismatch:
        import asyncssh

        offered = ""
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT):
                key = await asyncssh.get_server_host_key(self._settings.hostname, self._settings.port)
                offered = key.get_fingerprint() if key is not None else ""
        pinned = ""
        if self._settings.host_key:
            with contextlib.suppress(asyncssh.Error, ValueError):
                pinned = asyncssh.import_public_key(self._settings.host_key).get_fingerprint()
        detail = f"pinned {pinned or 'in known_hosts'}, offered {offered or 'none of that type'}" if (pinned or offered) else why
        return HostKeyMismatch(
            f"{self.target} is not the host that is pinned",
            detail,
            "somebody may be in between; if the host was made anew, write its new key to host_key: in cockpit.yaml",
        )

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._forwards.clear()
                self._connection = await self._open()
            return self._connection

    async def close(self) -> None:
        """Ends the connection and what hangs on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await connection.wait_closed()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[SshConnection]:
        """A new connection, shared with nobody: the proof that the host can be reached."""
        other = SshConnection(self._settings, self._known_hosts, self._config)
        try:
            yield other
        finally:
            await other.close()

    # ---- commands ----------------------------------------------------------------------------------------------------------

    async def exec(self, command: str, *, stdin: bytes | AsyncIterator[bytes] | None = None, deadline: float = 30.0) -> Answer:
        """Runs a command to its end. Unreachable when the connection fails; a deadline ends the remote process group."""
        connection = await self._connected()
        import asyncssh

        try:
            async with asyncio.timeout(deadline):
                process = await self._start(connection, command)
                feeding = asyncio.ensure_future(self._feed(process, stdin))
                reading = asyncio.gather(_read(process.stdout), _read(process.stderr))
                try:
                    (out, err), _ = await asyncio.gather(reading, feeding)
                    await process.wait_closed()
                except BaseException:
                    self._end(process)
                    feeding.cancel()
                    reading.cancel()
                    await asyncio.gather(feeding, reading, return_exceptions=True)
                    raise
        except TimeoutError:
            raise Unreachable(
                f"{self.target} does not answer", f"{_shown(command)}: no end within {deadline:.0f}s", "ctrl+r tries again"
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None
        code = process.exit_status
        if code is None:
            raise self._lost(ConnectionError("the connection was lost"))
        return Answer(_code(code), out, err)

    async def ask(self, command: str, *, stdin: bytes, deadline: float = 30.0) -> Answer:
        """Like `exec`, for a command that only reads."""
        asked, self._asked = self._asked, None
        if asked is not None and asked.command == command and (answer := await asked.answer()) is not None:
            return Answer(*answer)
        return await self.exec(command, stdin=stdin, deadline=deadline)

    async def lines(self, command: str, *, stdin: bytes | None = None, idle: float | None = None) -> AsyncIterator[bytes]:
        """Lines of a command's standard output, as they come; ends with it. `idle` seconds without any: Unreachable."""
        connection = await self._connected()
        import asyncssh

        try:
            process = await self._start(connection, command, stderr=asyncssh.DEVNULL)
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None
        try:
            await self._feed(process, stdin)
            while True:
                async with asyncio.timeout(idle):
                    line = await process.stdout.readline()
                if not line:
                    break
                yield line
            if process.exit_status is None and connection.is_closed():
                raise self._lost(ConnectionError("the connection was lost"))
        except TimeoutError:
            raise Unreachable(f"{self.target} is silent", f"nothing for {idle:.0f}s") from None
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None
        finally:
            self._end(process)

    async def both(self, command: str, *, deadline: float, stdin: bytes = b"") -> AsyncIterator[tuple[str, bytes]]:
        """Lines of standard error as they come, as ("err", line); then ("out", everything) and ("code", number)."""
        connection = await self._connected()
        import asyncssh

        try:
            async with asyncio.timeout(deadline):
                process = await self._start(connection, command)
                reading = asyncio.ensure_future(_read(process.stdout))
                try:
                    await self._feed(process, stdin)
                    while line := await process.stderr.readline():
                        yield "err", line
                    yield "out", await reading
                    await process.wait_closed()
                    if process.exit_status is None:
                        raise self._lost(ConnectionError("the connection was lost"))
                    yield "code", str(_code(process.exit_status)).encode()
                finally:
                    reading.cancel()
                    self._end(process)
        except TimeoutError:
            raise Unreachable(f"{self.target} does not answer", f"{_shown(command)}: no end within {deadline:.0f}s") from None
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error) from None

    async def forward(self, remote_socket: str) -> str:
        """A local unix socket that leads to one on the host, in a folder that only we can enter."""
        async with self._forwarding:
            connection = await self._connected()
            import asyncssh

            if remote_socket in self._forwards:
                return self._forwards[remote_socket]
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="cockpit-")
            self._sockets += 1
            local = os.path.join(self._folder.name, f"{self._sockets}.sock")
            try:
                await connection.forward_local_path(local, remote_socket)
            except (OSError, asyncssh.Error) as error:
                raise self._lost(error) from None
            self._forwards[remote_socket] = local
            return local

    async def _start(
        self, connection: asyncssh.SSHClientConnection, command: str, stderr: int = -1
    ) -> asyncssh.SSHClientProcess[bytes]:
        """Cancelled on the way, the command may run there already: it is ended as soon as it can be."""
        starting = asyncio.ensure_future(connection.create_process(command, encoding=None, stderr=stderr))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(lambda done: done.cancelled() or done.exception() or self._end(done.result()))
            raise

    @staticmethod
    async def _feed(process: asyncssh.SSHClientProcess[bytes], stdin: bytes | AsyncIterator[bytes] | None) -> None:
        try:
            if isinstance(stdin, bytes):
                process.stdin.write(stdin)
            elif stdin is not None:
                async for chunk in stdin:
                    process.stdin.write(chunk)
                    await process.stdin.drain()
            process.stdin.write_eof()
        except (BrokenPipeError, ConnectionError):
            return  # the program ended without reading all: its exit status says why

    @staticmethod
    def _end(process: asyncssh.SSHClientProcess[bytes]) -> None:
        """sshd passes the signal to the command's process group; closing the channel alone would leave it running."""
        if process.exit_status is None:  # is_closing() is of no use here: it is true from the end of our input on
            with contextlib.suppress(Exception):
                process.terminate()
        process.close()

    def _lost(self, error: BaseException) -> CockpitError:
        return Unreachable(
            f"the connection to {self.target} was lost", str(error) or type(error).__name__, "cockpit connects again by itself"
        )


async def _read(stream: asyncssh.SSHReader[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(CHUNK):
        size += len(chunk)
        if size > MOST_OUTPUT:
            raise CockpitError("a remote command printed too much", f"more than {MOST_OUTPUT} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _code(status: int) -> int:
    """asyncssh says -1 for a program that a signal ended."""
    return status if status >= 0 else 255


def _shown(command: str) -> str:
    with contextlib.suppress(ValueError):
        words = shlex.split(command)
        return " ".join(words[:4])
    return command[:60]
