"""cockpit.yaml, typed. `cockpit.config` reads it; defaults live here, once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, field


class Timing(Struct, frozen=True):
    """Deadlines of a transaction, in seconds."""

    wait: float = 120.0
    """How long converge waits for a project to become healthy."""
    stable: float = 10.0
    """How long nothing may restart before a release counts as good."""
    revert_after: float = 300.0
    """From activation until the confirmation; then the host goes back by itself."""


class HttpCheck(Struct, frozen=True):
    http: str
    status: int = 200


class UnitCheck(Struct, frozen=True):
    unit: str


HealthCheck = HttpCheck | UnitCheck


class Transport(Enum):
    SSH = "ssh"


class Build(Enum):
    HOST = "host"


class EnvSecrets(Enum):
    REFUSE = "refuse"
    ALLOW = "allow"


class SecretStyle(Enum):
    FILE = "file"
    """An encrypted file in a project's folder is rendered under its own name."""
    SIDECAR = "sidecar"
    """NAME.enc is rendered as NAME."""


SIDECAR = ".enc"


class HostSettings(Struct, frozen=True):
    name: str
    address: str
    """Where the proof of reachability goes: host name or IP, optionally `:port`."""
    user: str = "cockpit"
    host_key: str | None = None
    """`TYPE BASE64` of the pinned key; without one, known_hosts decides."""
    transport: Transport = Transport.SSH
    flake: str = "nix"
    """`FOLDER#ATTRIBUTE`; the attribute defaults to the host's name."""
    build: Build = Build.HOST
    tags: tuple[str, ...] = ()
    protected: bool = False
    projects: tuple[str, ...] = ()
    identity: str = "/etc/ssh/ssh_host_ed25519_key"
    timing: Timing = Timing()
    health: tuple[HealthCheck, ...] = ()
    guest: str | None = None
    """`CLUSTER/VMID` of the virtual machine that it is."""

    @property
    def flake_folder(self) -> str:
        return self.flake.partition("#")[0]

    @property
    def flake_attribute(self) -> str:
        return self.flake.partition("#")[2] or self.name

    @property
    def hostname(self) -> str:
        host, colon, port = self.address.rpartition(":")
        return host.strip("[]") if colon and port.isdigit() and (host.count(":") == 0 or host.endswith("]")) else self.address

    @property
    def port(self) -> int:
        host, colon, port = self.address.rpartition(":")
        return int(port) if colon and port.isdigit() and (host.count(":") == 0 or host.endswith("]")) else 22


class SecretSettings(Struct, frozen=True):
    name: str
    file: str
    key: str | None = None
    """Dotted path inside the decrypted file; None for the whole file."""
    owner: str = "0:0"
    mode: str = "0400"


class ProjectSettings(Struct, frozen=True):
    name: str
    source: str
    directory: str
    env_secrets: EnvSecrets = EnvSecrets.REFUSE
    secrets: tuple[SecretSettings, ...] = ()


class CredentialSettings(Struct, frozen=True):
    """Where a secret of this machine's own comes from: an encrypted file of the repository, or the environment."""

    file: str | None = None
    key: str | None = None
    """Dotted path inside the decrypted file; None for the whole file."""
    env: str | None = None
    """Name of an environment variable; for CI."""


class ClusterSettings(Struct, frozen=True):
    """A Proxmox VE cluster, or a single node."""

    name: str
    addresses: tuple[str, ...]
    """`HOST[:PORT]` of its nodes; the first one that answers is asked. The port defaults to 8006."""
    user: str
    """`USER@REALM!TOKENID` for an API token, `USER@REALM` for a password."""
    secret: CredentialSettings
    fingerprint: str | None = None
    """SHA-256 of the certificate, as PVE shows it (`AB:CD:...`); without it the system's authorities decide."""
    protected: bool = False

    @property
    def token(self) -> bool:
        """Whether it signs in by an API token."""
        return "!" in self.user


def _no_clusters() -> Mapping[str, ClusterSettings]:
    return MappingProxyType({})


def _no_hosts() -> Mapping[str, HostSettings]:
    return MappingProxyType({})


def _no_projects() -> Mapping[str, ProjectSettings]:
    return MappingProxyType({})


class Settings(Struct, frozen=True):
    root: Path
    """The folder of cockpit.yaml: the top of the homelab's repository."""
    keep: int = 15
    hosts: Mapping[str, HostSettings] = field(default_factory=_no_hosts)
    projects: Mapping[str, ProjectSettings] = field(default_factory=_no_projects)
    clusters: Mapping[str, ClusterSettings] = field(default_factory=_no_clusters)
    secret_style: SecretStyle = SecretStyle.FILE


class Theme(Enum):
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"


class Role(Enum):
    OPERATE = "operate"
    OBSERVE = "observe"
    """Looks, and changes nothing anywhere."""


class UserSettings(Struct, frozen=True):
    """~/.config/cockpit/config.yaml: what belongs to a person, not to the homelab."""

    theme: Theme = Theme.DARK
    ascii: bool = False
    keymap: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Binding id -> key, e.g. `host.rollback: ctrl+b`."""
    identity: Path | None = None
    """age identity file for decrypting in memory on this machine."""
    who: str | None = None
    """The name that records carry; default: git's user.name, then the login name."""
    role: Role = Role.OPERATE
