"""The SSH server of one simulated host: answers what the adapters send, word for word, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from cockpit.simulator import checkup, contents
from cockpit.simulator.compose import compose
from cockpit.simulator.engine import Engine
from cockpit.simulator.host import Failure, Host
from cockpit.simulator.probe import journal, printed, units

if TYPE_CHECKING:
    import asyncssh

TRANSACTION = "sudo -n /run/current-system/sw/bin/cockpit-transaction "
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
_WATCH = re.compile(r"^f=/run/cockpit/runs/([0-9a-z]{1,16})/events; .* tail -c \+(\d+) -s 0\.1 -F \$f 2>/dev/null$", re.DOTALL)
_DIFF = re.compile(
    r"^PATH=/run/current-system/sw/bin:\$PATH; nix-store -qR (/nix/store/\S+); echo; nix-store -qR (/nix/store/\S+)$"
)
_JOURNAL = re.compile(r"^journalctl (?:-u (\S+)|-p warning) -n (\d+) -o short-iso --no-pager -q$")
UNITS = "systemctl list-units --type=service,timer --all --plain --no-legend --no-pager --full"


class Shell:
    def __init__(self, host: Host, engine: Engine, say: Callable[[str], None]) -> None:
        self._host = host
        self._engine = engine
        self._say = say
        self.open = True
        """Whether the host is on."""
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._public = ""

    def cut(self) -> None:
        """The host is off: nobody is let in, and who was is cut off."""
        self.open = False
        for connection in tuple(self._connections):
            connection.abort()

    async def listen(self, key: asyncssh.SSHKey, authorized: str) -> asyncssh.SSHAcceptor:
        """On a free port of loopback; only the demo's own key gets in."""
        import asyncssh

        shell = self
        self._public = " ".join(key.export_public_key().decode().split()[:2])

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self.own = conn
                shell._connections.add(conn)
                if not shell.open:
                    conn.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                shell._connections.discard(self.own)

            def unix_connection_requested(self, dest_path: str) -> Any:  # noqa: ANN401 - what asyncssh takes
                if dest_path in SOCKETS:
                    return shell._engine.serve
                shell._say(f"{shell._host.name}: no socket {dest_path}")
                return False

        return await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[key],
            authorized_client_keys=asyncssh.import_authorized_keys(authorized),
            process_factory=self._process,
            encoding=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            allow_scp=False,
            gss_host=None,
            line_editor=False,
            server_version="cockpit-simulator",
        )

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """One command; when the other side closes the channel, it ends."""
        from asyncssh import SignalReceived

        work = asyncio.ensure_future(self._answer(process))
        gone = asyncio.ensure_future(process.channel.wait_closed())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            results = await asyncio.gather(work, gone, return_exceptions=True)
        code, error = results[0], results[0]
        if isinstance(error, ConnectionError | SignalReceived):
            code = 255  # nobody listens any more, or who asked has lost interest
        elif isinstance(error, Exception):
            self._say(f"{self._host.name}: {type(error).__name__} in {process.command}: {error}")
            code = 255
        if isinstance(code, int):
            with contextlib.suppress(OSError):
                process.exit(code)

    async def _answer(self, process: asyncssh.SSHServerProcess[bytes]) -> int:
        command = (process.command or "").removesuffix(" </dev/null")
        host = self._host
        if command == "true":
            return 0
        if command in ("sh -s deep", "sh -s quick"):
            script = await process.stdin.read()
            if b"put probe 1" not in script:
                return self._unknown(process, "a script that is not the probe")
            process.stdout.write(printed(host, self._engine.rows(), deep=command.endswith("deep")))
            return 0
        if command == "sh -s checkup":
            if b"put checkup 1" not in await process.stdin.read():
                return self._unknown(process, "a script that is not the checkup")
            process.stdout.write(checkup.printed(host, self._public))
            return 0
        if command.startswith("sh -s -- "):
            return self._contents(process, await process.stdin.read(), shlex.split(command)[3:])
        if match := checkup.CERTIFICATE.match(command):
            process.stdout.write(checkup.certificate(match[1]))
            return 0
        if command.startswith(TRANSACTION):
            return await self._transaction(process, shlex.split(command[len(TRANSACTION) :]))
        if match := _WATCH.match(command):
            async for data in host.watch(match[1], int(match[2]) - 1):
                process.stdout.write(data)
                await process.stdout.drain()
            return 3
        if (match := _DIFF.match(command)) and match[1] in host.releases and match[2] in host.releases:
            old, new = (host.releases[match[i]].paths for i in (1, 2))
            process.stdout.write("\n".join((*old, "", *new, "")).encode())
            return 0
        if command == UNITS:
            process.stdout.write(units(host).encode())
            return 0
        if match := _JOURNAL.match(command):
            unit = shlex.split(match[1])[0] if match[1] else None
            process.stdout.write(journal(host, unit, int(match[2])).encode())
            return 0
        if command.startswith("docker exec -it "):
            process.stderr.write(b"this container is simulated: there is no shell in it\r\n")
            return 1
        return self._unknown(process, command)

    def _contents(self, process: asyncssh.SSHServerProcess[bytes], script: bytes, words: list[str]) -> int:
        """What a system consists of, in two scripts: itself, then its compose files."""
        if b"put closure" in script and len(words) == 2:
            answer = contents.printed(self._host, *words)
        elif script.startswith(b'for f in "$@"; do printf'):
            answer = contents.files(self._host, words)
        else:
            return self._unknown(process, "a script that is not that of contents")
        if answer is None:
            return 4
        process.stdout.write(answer)
        return 0

    def _unknown(self, process: asyncssh.SSHServerProcess[bytes], what: str) -> int:
        self._say(f"{self._host.name}: unknown command: {what}")
        process.stderr.write(f"the simulated host does not know: {what[:200]}\n".encode())
        return 127

    async def _transaction(self, process: asyncssh.SSHServerProcess[bytes], words: list[str]) -> int:
        def tell(line: str) -> None:
            process.stderr.write(f"{line}\n".encode())

        try:
            answer = await self._verb(process, words, tell)
        except Failure as error:
            process.stdout.write(json.dumps(error.data).encode())
            return error.exit
        if answer is None:
            return self._unknown(process, f"cockpit-transaction {shlex.join(words)}")
        process.stdout.write(json.dumps(answer).encode())
        return 0

    async def _verb(
        self, process: asyncssh.SSHServerProcess[bytes], words: list[str], tell: Callable[[str], None]
    ) -> dict[str, Any] | None:
        host = self._host
        match words:
            case ["state"]:
                return await asyncio.to_thread(host.state, None)
            case ["state", run]:
                return host.state(run)
            case ["receive", commit]:
                return await host.receive(commit, _chunks(process))
            case ["build", _, commit, _, attribute]:
                return await host.build(commit, attribute, tell)
            case ["check"]:
                return host.check(await _request(process))
            case ["run"]:
                return host.run(await _request(process))
            case ["confirm", run, proof]:
                return host.confirm(run, proof)
            case ["compose", "plan", project]:
                return await compose(host, "plan", project, "", {}, tell)
            case ["compose", ("up" | "pull") as what, project, service]:
                return await compose(host, what, project, service, await _request(process), tell)
            case ["compose", ("up" | "pull" | "down") as what, project]:
                return await compose(host, what, project, "", await _request(process), tell)
            case ["recover"]:
                return {"open": host.active.run if host.active is not None else None}
            case ["prune"]:
                return {"removed": []}
        return None


async def _chunks(process: asyncssh.SSHServerProcess[bytes]) -> AsyncIterator[bytes]:
    while chunk := await process.stdin.read(1 << 16):
        yield chunk


async def _request(process: asyncssh.SSHServerProcess[bytes]) -> dict[str, Any]:
    try:
        data = json.loads(await process.stdin.read())
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Failure(2, "the request is no JSON object")
    return data
