"""The keys of this machine, as sops finds them, and their public halves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cockpit.domain.keys import SSH_PUBLIC
from cockpit.domain.secret import Secret


def identities(identity: Path | Secret | None) -> list[Any]:
    """pyrage's identities; empty where there is none that it can use (a passphrase, a plugin)."""
    if identity is not None:
        return list(parsed(identity.reveal() if isinstance(identity, Secret) else _bytes(identity)))
    found = list(parsed(os.environ.get("SOPS_AGE_KEY", "").encode()))
    for place in places():
        found += parsed(_bytes(place))
    return found


def places() -> tuple[Path, ...]:
    """Files that sops looks into by itself, in its order."""
    named = (os.environ.get(name) for name in ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"))
    return (*map(Path, filter(None, named)), keys_file(), *(Path.home() / ".ssh" / name for name in ("id_ed25519", "id_rsa")))


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


def public(data: bytes) -> tuple[str, ...]:
    """Public halves of an age identity file or an ssh private key; empty for what is neither, or has a passphrase."""
    if b"PRIVATE KEY" not in data:
        return tuple(str(identity.to_public()) for identity in parsed(data))
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key: Any = serialization.load_ssh_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ()
    text = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return (text,) if SSH_PUBLIC.match(text) else ()
