"""Key pairs of age and ssh, made and read in memory; and the one file of a person's age keys."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from cockpit.adapters.sops.identities import identities, keys_file, public_halves
from cockpit.domain.errors import SecretError, UsageError
from cockpit.domain.keys import KeyPair
from cockpit.domain.secret import Secret


class SystemKeys:
    """A `cockpit.ports.making.Keys`. `identity` is the person's own setting; without it keys are where sops looks for them."""

    def __init__(self, identity: Path | None = None) -> None:
        self._identity = identity

    def age(self) -> KeyPair:
        import pyrage

        identity = pyrage.x25519.Identity.generate()
        return KeyPair(Secret(f"{identity}\n".encode()), str(identity.to_public()))

    def ssh(self) -> KeyPair:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return KeyPair(Secret(private), public.decode())

    def public(self, private: Secret) -> tuple[str, ...]:
        return public_halves(private.reveal())

    def valid(self, recipient: str) -> bool:
        import pyrage

        kinds: tuple[Any, ...] = (pyrage.x25519.Recipient, pyrage.ssh.Recipient)
        for kind in kinds:
            with contextlib.suppress(pyrage.RecipientError, ValueError):
                kind.from_str(recipient)
                return recipient.startswith(("age1", "ssh-ed25519 ", "ssh-rsa "))
        return False

    def own(self) -> tuple[str, ...]:
        found = (key for key in identities(self._identity) if hasattr(key, "to_public"))  # pyrage's ssh keys have none
        return tuple(dict.fromkeys(str(key.to_public()) for key in found))

    @property
    def place(self) -> Path:
        return self._identity or keys_file()

    def keep(self, private: Secret) -> None:
        path = self.place
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise UsageError(
                f"{path} is there already", "it is not overwritten", "put your age key there, or name it: --operator-key"
            ) from None
        except OSError as error:
            raise SecretError(f"{path} cannot be written", error.strerror or "", "make its folder writable") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"# public key: {' '.join(self.public(private))}\n".encode() + private.reveal())
            file.flush()
            os.fsync(file.fileno())

    def forget(self, private: Secret) -> None:
        path = self.place
        with contextlib.suppress(OSError):
            if private.reveal() in path.read_bytes():
                path.unlink()
