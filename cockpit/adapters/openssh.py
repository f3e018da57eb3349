"""One question by OpenSSH's own client, in a process beside ours, while the rest of cockpit is still being imported.

A command line that finds nothing to do has one question for one host. Importing an SSH library with its cryptography, and the
actions, takes longer than the answer. It trusts what `SshConnection` trusts; where it cannot ask, that one does, and says why.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from cockpit.domain.settings import HostSettings

PATIENCE = 3.0
"""Seconds from the question after which the library asks, which knows more of what is wrong."""
MOST_OUTPUT = 8 * 1024 * 1024
FAILED = 255
"""Exit status of ssh itself: there is no saying whether the command ran."""


class Question:
    """A command that only reads, on its way. `close` ends it, answered or not."""

    def __init__(self, host: HostSettings, known_hosts: Path | None, command: str, stdin: Path) -> None:
        self.command = command
        self._folder = tempfile.TemporaryDirectory(prefix="cockpit-")
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = time.monotonic()
        trusted = known_hosts or Path.home() / ".ssh/known_hosts"
        if host.host_key:
            trusted = Path(self._folder.name) / "known_hosts"
            trusted.write_text(f"* {host.host_key}\n")
        if not trusted.is_file() or shutil.which("ssh") is None:
            return
        argv = _command(host, trusted, Path.home() / ".ssh/config", command)
        with contextlib.suppress(OSError), stdin.open("rb") as script:
            self._process = subprocess.Popen(  # noqa: S603 - a list, and a host of cockpit.yaml
                argv, stdin=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

    async def answer(self) -> tuple[int, bytes, bytes] | None:
        """(exit status, output, errors); None where ssh did not get it done in time."""
        if self._process is None:
            return None
        import asyncio  # not before the question is on its way

        left = self._asked + PATIENCE - time.monotonic()
        return await asyncio.to_thread(self._wait, self._process, max(0.0, left))

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[int, bytes, bytes] | None:
        try:
            out, err = process.communicate(timeout=seconds)
        except (subprocess.TimeoutExpired, ValueError, OSError):  # ValueError: closed while it was waited for
            return None
        well = 0 <= process.returncode < FAILED and len(out) <= MOST_OUTPUT
        return (process.returncode, out, err) if well else None

    def close(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        self._folder.cleanup()


def _command(host: HostSettings, trusted: Path, config: Path, command: str) -> list[str]:
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(trusted).replace(" ", "\\ "),
        "GlobalKnownHostsFile": os.devnull,
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        # a connection of its own, that nobody else's settings share or forward
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "PermitLocalCommand": "no",
        "RequestTTY": "no",
    }
    if host.host_key:
        kind = host.host_key.split()[0]
        options["HostKeyAlgorithms"] = "rsa-sha2-512,rsa-sha2-256" if kind == "ssh-rsa" else kind
    found = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    port = ["-p", str(host.port)] if host.port != 22 else []
    own = ["-F", str(config) if config.is_file() else os.devnull]
    return ["ssh", *own, *found, *port, "-l", host.user, "--", host.hostname, command]
