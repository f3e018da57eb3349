"""What doctor asks of this machine, of its keys, and of a host: plain facts, without a judgement."""

from __future__ import annotations

import re

from msgspec import Struct


class Ran(Struct, frozen=True):
    """A local program that ran to its end."""

    code: int
    out: str
    """Standard output and error, in this order."""


class FileState(Struct, frozen=True):
    mode: int
    """Permission bits."""
    folder: bool = False


class Terminal(Struct, frozen=True):
    tty: bool
    term: str
    colours: int
    """As the terminal says: 16777216 for true colour."""
    encoding: str


class Certificate(Struct, frozen=True):
    """What a TLS server shows."""

    names: tuple[str, ...]
    """Common name and alternative names."""
    issuer: str
    not_after: float
    """Seconds since the epoch."""
    fingerprint: str
    """SHA-256, `AB:CD:...`."""
    trusted: bool = True
    why: str = ""
    """Why it is not trusted."""

    def covers(self, name: str) -> bool:
        wild = "*." + name.partition(".")[2]
        return name.lower() in (own.lower() for own in self.names) or wild.lower() in (own.lower() for own in self.names)


class SopsProgram(Struct, frozen=True):
    version: str
    """As the program itself says."""
    path: str
    embedded: bool
    """Whether it is the one of the Python package, because there is none on PATH."""

    @property
    def number(self) -> tuple[int, ...]:
        return numbers(self.version)


class Identity(Struct, frozen=True):
    """A private key of this machine that can decrypt; never the key itself."""

    source: str
    """Its file, or the environment variable."""
    recipients: tuple[str, ...]
    """Its public halves; none where it has a passphrase or needs a plugin."""
    mode: int | None = None
    """Permission bits of the file."""
    why: str = ""
    """Why it cannot be used without a person."""


class Recipient(Struct, frozen=True):
    key: str
    """`age1...` or `ssh-ed25519 AAAA...`."""
    name: str = ""
    """Its anchor in .sops.yaml."""


class Rule(Struct, frozen=True):
    """A creation rule of .sops.yaml."""

    pattern: str
    """Empty: it is for every file that no rule before it names."""
    line: int
    recipients: tuple[Recipient, ...]

    def names(self, path: str) -> bool:
        """Whether it is for this file. Raises re.error where Python cannot read the pattern."""
        return not self.pattern or re.search(self.pattern, path) is not None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(recipient.key for recipient in self.recipients)


class EngineCheckup(Struct, frozen=True):
    version: str = ""
    api: str = ""
    live_restore: bool | None = None
    why: str = ""
    """Why the engine does not answer."""


class MeshStatus(Struct, frozen=True):
    """`tailscale status --json`, as far as it is used."""

    state: str
    """BackendState: Running, NeedsLogin, Stopped ..."""
    name: str = ""
    addresses: tuple[str, ...] = ()
    key_expiry: str = ""
    """RFC 3339; empty where it does not expire."""
    health: tuple[str, ...] = ()
    relayed: tuple[str, ...] = ()
    """Addresses of peers that are in use and only reached through a relay."""


class HostCheckup(Struct, frozen=True):
    """What a host says of itself beside its HostFacts."""

    user: str
    groups: tuple[str, ...]
    sudo: bool
    """Whether the user may run cockpit-transaction as root without a password."""
    sudo_why: str = ""
    programs: tuple[str, ...] = ()
    """Those of cockpit's programs that are there."""
    keys: tuple[str, ...] = ()
    """Public ssh keys of the host, `TYPE BASE64`."""
    inodes: tuple[tuple[str, float], ...] = ()
    """(mount, share that is used)."""
    engine: EngineCheckup = EngineCheckup()
    mesh: MeshStatus | None = None
    """None where tailscale is not there or says nothing."""


def numbers(version: str) -> tuple[int, ...]:
    """`v3.12.2-rc1` -> (3, 12, 2)."""
    found = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
