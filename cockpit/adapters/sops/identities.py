"""The age keys of this machine, as sops finds them: only to keep the cipher text of what did not change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def identities(identity: Path | None) -> list[Any]:
    """pyrage's identities; empty where there is none that it can use (a passphrase, a plugin)."""
    if identity is not None:
        return list(_parsed(_bytes(identity)))
    found: list[Any] = []
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    found += _parsed(os.environ.get("SOPS_AGE_KEY", "").encode())
    places = [os.environ.get("SOPS_AGE_KEY_FILE"), os.environ.get("SOPS_AGE_SSH_PRIVATE_KEY_FILE")]
    for place in (*places, config / "sops/age/keys.txt", *(Path.home() / ".ssh" / name for name in ("id_ed25519", "id_rsa"))):
        if place:
            found += _parsed(_bytes(Path(place)))
    return found


def _bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _parsed(data: bytes) -> Iterator[Any]:
    import pyrage

    if b"PRIVATE KEY" in data:
        with contextlib.suppress(pyrage.IdentityError, ValueError):
            yield pyrage.ssh.Identity.from_buffer(data)
        return
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("AGE-SECRET-KEY-1"):
            with contextlib.suppress(pyrage.IdentityError, ValueError):
                yield pyrage.x25519.Identity.from_str(line.strip())
