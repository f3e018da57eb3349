"""The age keys of this machine, as sops finds them: only to keep the cipher text of what did not change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cockpit.domain.secret import Secret


def identities(identity: Path | Secret | None) -> list[Any]:
    """pyrage's identities; empty where there is none that it can use (a passphrase, a plugin)."""
    if identity is not None:
        return list(parsed(identity.reveal() if isinstance(identity, Secret) else _bytes(identity)))
    found: list[Any] = []
    found += parsed(os.environ.get("SOPS_AGE_KEY", "").encode())
    places = [os.environ.get("SOPS_AGE_KEY_FILE"), os.environ.get("SOPS_AGE_SSH_PRIVATE_KEY_FILE")]
    for place in (*places, keys_file(), *(Path.home() / ".ssh" / name for name in ("id_ed25519", "id_rsa"))):
        if place:
            found += parsed(_bytes(Path(place)))
    return found


def keys_file() -> Path:
    """Where sops looks for age keys by itself."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "sops/age/keys.txt"


def _bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def parsed(data: bytes) -> Iterator[Any]:
    import pyrage

    if b"PRIVATE KEY" in data:
        with contextlib.suppress(pyrage.IdentityError, ValueError):
            yield pyrage.ssh.Identity.from_buffer(data)
        return
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("AGE-SECRET-KEY-1"):
            with contextlib.suppress(pyrage.IdentityError, ValueError):
                yield pyrage.x25519.Identity.from_str(line.strip())
