"""ports.doctor.Machine: the programs, files, names and servers that this machine sees."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import ssl
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from cockpit.adapters import process, tls
from cockpit.adapters.mesh import status_from
from cockpit.domain.checkup import Certificate, FileState, MeshStatus, Ran, Terminal
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.text import lines, plain

RESOLVE = 5.0
CONNECT = 5.0
GREETING = 3.0
"""Seconds until a server has to say something; one that waits for us says nothing."""


class SystemMachine:
    def find(self, program: str) -> str:
        beside = Path(sys.executable).parent / program  # a virtual environment need not be on PATH
        return shutil.which(program) or (str(beside) if os.access(beside, os.X_OK) else "")

    async def ask(self, argv: Sequence[str], *, deadline: float = 10.0) -> Ran:
        environment = {**os.environ, "LC_ALL": "C", "NO_COLOR": "1"}
        done = await process.run(argv, deadline=deadline, env=environment)
        text = "\n".join(lines(done.text) + lines(done.complaint))
        return Ran(done.code, text)

    def environment(self, name: str) -> str:
        return os.environ.get(name, "")

    def library(self, name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return ""

    def terminal(self) -> Terminal:
        term = os.environ.get("TERM", "")
        if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
            colours = 1 << 24
        elif "256" in term:
            colours = 256
        else:
            colours = 0 if term in ("", "dumb") else 8
        out = sys.__stdout__  # the terminal UI puts something else in the place of sys.stdout
        tty = out is not None and out.isatty()
        return Terminal(tty, term, colours, (out.encoding if out is not None else "").lower())

    def status(self, path: Path) -> FileState | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return FileState(stat.S_IMODE(found.st_mode), stat.S_ISDIR(found.st_mode))

    async def addresses(self, name: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(RESOLVE):
                found = await asyncio.get_running_loop().getaddrinfo(name, None)
        except TimeoutError:
            raise Unreachable(f"{name} is not resolved", f"no answer within {RESOLVE:.0f}s") from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{name} is not resolved", getattr(error, "strerror", None) or str(error)) from None
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def greeting(self, host: str, port: int) -> str:
        try:
            async with asyncio.timeout(CONNECT):
                reader, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            raise Unreachable(f"{host} port {port} does not answer", f"nothing within {CONNECT:.0f}s") from None
        except OSError as error:
            raise Unreachable(f"{host} port {port} cannot be reached", error.strerror or str(error)) from None
        try:
            async with asyncio.timeout(GREETING):
                return plain((await reader.readline())[:200].decode("utf-8", "replace").strip())
        except (TimeoutError, OSError, ValueError):
            return ""
        finally:
            writer.close()

    async def certificate(self, host: str, port: int, name: str) -> Certificate:
        data, why = await self._shown(host, port, name, ssl.create_default_context()), ""
        if isinstance(data, str):
            why = data
            data = await self._shown(host, port, name, _trusting())
        if isinstance(data, str):
            raise Unreachable(f"{host}:{port} shows no certificate for {name}", data)
        return tls.certificate(data, why)

    async def mesh(self) -> MeshStatus | None:
        program = self.find("tailscale")
        if not program:
            return None
        try:
            done = await process.run((program, "status", "--json"), deadline=RESOLVE)
        except CockpitError:
            return None
        return status_from(done.text)

    async def _shown(self, host: str, port: int, name: str, context: ssl.SSLContext) -> bytes | str:
        """The certificate in DER, or why it was not accepted. Unreachable."""
        try:
            async with asyncio.timeout(CONNECT):
                _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
        except TimeoutError:
            raise Unreachable(f"{host} port {port} does not answer", f"nothing within {CONNECT:.0f}s") from None
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except ssl.SSLError as error:
            return error.reason or "no TLS"
        except OSError as error:
            raise Unreachable(f"{host} port {port} cannot be reached", error.strerror or str(error)) from None
        session = writer.get_extra_info("ssl_object")
        data = session.getpeercert(binary_form=True)
        writer.close()
        return data or "it shows no certificate"


def _trusting() -> ssl.SSLContext:
    """To read what a server shows that is not trusted; nothing is sent to it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
