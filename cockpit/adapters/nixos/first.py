"""ports.FirstContact: a host without cockpit's programs, as root; those of the system that was built for it do the work."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from cockpit.adapters.nixos.host import NixosHost
from cockpit.adapters.nixos.local import BUILD_TIMEOUT, EXPORT_TIMEOUT
from cockpit.adapters.nixos.nix import STORE_PATH, build_failed
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.errors import BuildFailed, CockpitError, Refused
from cockpit.domain.hosts import Prospect
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import lines, plain
from cockpit.ports import BuildResult, Clock

SCRIPT = Path(__file__).with_name("first.sh")
PROGRAM = "sw/bin/cockpit-transaction"
PULL_TIMEOUT = 1800.0
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_ANY = f"$(ls -dt /nix/var/nix/gcroots/cockpit/*-new/{PROGRAM} 2>/dev/null | head -n 1)"
"""Programs of the newest system that was prepared there: what an earlier first contact left open is ended by them."""


class NixosFirstContact(NixosHost):
    """`ssh` signs in as somebody who is root or becomes it by sudo; `deploys` is the host as the deploy user reaches it."""

    def __init__(self, settings: HostSettings, user: str, ssh: SshConnection, deploys: NixosHost, clock: Clock) -> None:
        super().__init__(settings, ssh, clock)
        self._deploys = deploys
        self._sudo = "" if user == "root" else "sudo -n "
        self._program = f"{self._sudo}{_ANY}"

    def _script(self, *words: str) -> str:
        return f"{self._sudo}sh -c {shlex.quote(SCRIPT.read_text(encoding='utf-8'))} first {shlex.join(words)}"

    async def look(self) -> Prospect:
        answer = await self._ssh.exec(self._script("look"), stdin=b"", deadline=30.0)
        said = answer.out.decode("utf-8", "replace").split("\n")
        if answer.code != 0 and "root" not in said:
            raise Refused(
                f"{self._settings.name} lets {self._ssh.target} in, and not become root",
                " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:]),
                "first contact needs root, or a user with passwordless sudo: --user NAME",
            )
        haves = tuple(line.split()[1] for line in said if re.fullmatch(r"have [0-9a-f]{40}", line))
        return Prospect("nixos" in said, "root" in said, "cockpit" in said, "git" in said, haves)

    async def build_first(self, run: str, commit: str, pack: AsyncIterator[bytes]) -> AsyncIterator[str | BuildResult]:
        if not _COMMIT.match(commit):
            raise Refused(f"{commit!r} is no commit")
        start = self._clock.monotonic()
        sent = await self._ssh.exec(self._script("receive", commit), stdin=pack, deadline=600.0)
        if sent.code != 0:
            why = " ".join(lines(sent.err.decode("utf-8", "replace"))[-2:])
            raise BuildFailed("the commit could not be sent", why, "is the disk of the host full? df -h /var/lib")
        words = (run, commit, self._settings.flake_folder, self._settings.flake_attribute)
        log: list[str] = []
        out, code = b"", 0
        async for kind, data in self._ssh.both(self._script("build", *words), deadline=BUILD_TIMEOUT):
            if kind == "err":
                log.append(plain(data.decode("utf-8", "replace").rstrip("\n")))
                yield log[-1]
            elif kind == "out":
                out = data
            else:
                code = int(data)
        closure = out.decode("utf-8", "replace").strip()
        if code != 0 or not STORE_PATH.fullmatch(closure):
            raise build_failed(log[-2000:])
        yield BuildResult(closure, self._clock.monotonic() - start)

    async def lacks(self, paths: Sequence[str]) -> tuple[str, ...]:
        answer = await self._ssh.exec(self._script("lacks"), stdin="\n".join(paths).encode(), deadline=120.0)
        if answer.code != 0:
            raise CockpitError("the host's store cannot be asked", " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:]))
        missing = set(answer.out.decode("utf-8", "replace").split())
        return tuple(path for path in paths if path in missing)

    async def take(self, run: str, closure: str, stream: AsyncIterator[bytes]) -> None:
        answer = await self._ssh.exec(self._script("take", run, closure), stdin=stream, deadline=EXPORT_TIMEOUT)
        if answer.code != 0:
            why = " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:])
            raise BuildFailed("the system could not be copied to the host", why, "is the disk of the host full? df -h /nix")

    async def prepare(self, run: str, closure: str) -> None:
        if not STORE_PATH.fullmatch(closure):
            raise BuildFailed("the build named no system", plain(closure[:200]))
        there = await self._ssh.exec(f"test -x {closure}/{PROGRAM} && test -e {closure}/cockpit/manifest.json", deadline=30.0)
        if there.code != 0:
            raise Refused(
                f"the system that was built for {self._settings.name} has no cockpit",
                "its flake does not import cockpit's module",
                "cockpit adopt writes the line that does; commit it",
            )
        self._program = f"{self._sudo}{closure}/{PROGRAM}"
        await self._verb("prepare", run, closure, stdin=b"", deadline=PULL_TIMEOUT)

    async def confirm(self, run: str, proof: str) -> None:
        """What is proved is that deploys will get in: by the deploy user, and by what its sudo rule names."""
        await self._deploys.confirm(run, proof)

    async def close(self) -> None:
        await self._deploys.close()
        await super().close()
