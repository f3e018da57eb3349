"""A homelab in memory in which doctor finds nothing to say; tests spoil one thing of it each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace

from cockpit import config
from cockpit.actions.doctor import CHECKS, Context, examine
from cockpit.actions.doctor.table import BY_ID
from cockpit.actions.lock import Lock
from cockpit.adapters.compose_files import ComposeYaml
from cockpit.domain.checkup import (
    Certificate,
    EngineCheckup,
    FileState,
    HostCheckup,
    Identity,
    MeshStatus,
    Ran,
    Recipient,
    Rule,
    SopsProgram,
    Terminal,
)
from cockpit.domain.errors import CockpitError, SecretError, Unreachable, UsageError
from cockpit.domain.files import Content, Entry, WorkStatus
from cockpit.domain.findings import Finding, Level
from cockpit.domain.hosts import Closure, Disk, HostFacts
from cockpit.domain.keys import EXAMPLE
from cockpit.domain.secret import Secret
from cockpit.domain.services import ServicesSnapshot
from cockpit.domain.settings import (
    ClusterSettings,
    CredentialSettings,
    HostSettings,
    ProjectSettings,
    SecretSettings,
    Settings,
    UserSettings,
)
from cockpit.ports import ContainerEngine, Host, SecretStore, WorkTree
from cockpit.ports.doctor import CheckupHost, Keyring
from cockpit.ports.upkeep import Registry
from tests.unit.fake_clock import START, FakeClock

ROOT = Path("/homelab")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "h" * 43
ADA, RECOVERY = ("age1" + letter * 58 for letter in "ar")
FINGERPRINT = ":".join(["AB"] * 32)
DIGEST = "sha256:" + "0" * 64
NAME = "gotify.home.test"

COMPOSE = """\
services:
  traefik:
    image: traefik:v3.7.9
    restart: unless-stopped
    ports: ["${TAILNET_IP:?}:443:443"]
    env_file: [traefik.env]
    secrets: [token]
    volumes:
      - ./dynamic:/etc/traefik/dynamic:ro
    healthcheck: {test: [CMD, traefik, healthcheck]}
    labels:
      traefik.http.routers.gotify.rule: Host(`gotify.${DOMAIN}`)
  socket-proxy:
    image: wollomatic/socket-proxy:1.13.1
    restart: unless-stopped
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
    healthcheck: {test: [CMD, ./healthcheck]}
secrets:
  token: {file: /run/cockpit/secrets/web/token}
"""
LOCK = f"""\
services:
  traefik:
    image: traefik:v3.7.9@{DIGEST}
  socket-proxy:
    image: wollomatic/socket-proxy:1.13.1@{DIGEST}
"""
FLAKE = """\
{
  # a comment with inputs.nothing.url = "x";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
  outputs = { self, nixpkgs }: {
    nixosModules.cockpit = ./modules/cockpit.nix;
    nixosConfigurations.alpha = nixpkgs.lib.nixosSystem {
      modules = [ self.nixosModules.cockpit ./hosts/alpha { system.configurationRevision = self.rev or null; } ];
    };
  };
}
"""
SITE = """\
{ hostName = "alpha"; admin = [ "ssh-ed25519 AAAAC3Nz ada" ];
 deploy = [ "ssh-ed25519 AAAAC3Nz" ]; }
"""
TOFU = """\
terraform {
  required_providers {
    proxmox = {
      source  = "Telmate/proxmox"
      version = "3.0.2-rc09"
    }
  }
  encryption {
    state { enforced = true }
  }
}
"""
WORKFLOW = f"""\
permissions: {{contents: read}}
jobs:
  deploy:
    steps:
      - uses: actions/checkout@{"a" * 40} # v6
      - run: cockpit deploy --headless --yes
"""


def sealed(plain: str, *readers: str) -> bytes:
    """What the fake store takes for a file that sops encrypted: keys stay legible, as they do."""
    keys = "".join(re.sub(r": *\S.*$", ": ENC[AES256_GCM]", line) + "\n" for line in plain.splitlines())
    return f"{keys}#sops readers={','.join(readers)}\n#plain {json.dumps(plain)}\n".encode()


class FakeStore:
    def __init__(self, rules: list[Rule], mine: Callable[[], set[str]]) -> None:
        self.rules = rules
        self.mine = mine

    def is_encrypted(self, path: str, data: bytes) -> bool:
        return b"#sops readers=" in data

    def readers(self, path: str, data: bytes) -> tuple[str, ...]:
        found = re.search(rb"#sops readers=(.*)", data)
        assert found is not None
        return tuple(found[1].decode().split(","))

    def governs(self, path: str) -> bool:
        return any(rule.pattern and re.search(rule.pattern, path) for rule in self.rules)

    async def decrypt(self, path: str, data: bytes, key: str | None = None) -> Secret:
        if not self.mine() & set(self.readers(path, data)):
            raise SecretError(f"{path} cannot be decrypted", "no key")
        found = re.search(rb"#plain (.*)", data)
        if found is None:
            raise SecretError(f"{path} cannot be decrypted", "it is damaged")
        return Secret(json.loads(found[1]).encode())


class FakeTree:
    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.state = WorkStatus("main", "origin/main")

    async def status(self) -> WorkStatus:
        return self.state

    async def entries(self, most: int) -> tuple[tuple[Entry, ...], int]:
        return tuple(Entry(path) for path in sorted(self.files)), 0

    async def read(self, path: str, most: int) -> Content:
        if path not in self.files:
            raise UsageError(f"{path} cannot be read", "it is not there")
        return Content(path, self.files[path])

    async def read_many(self, paths: Sequence[str], most: int) -> dict[str, bytes]:
        return {path: self.files[path] for path in paths if path in self.files}


class FakeMachine:
    def __init__(self) -> None:
        self.versions = {
            "git": "git version 2.50.1", "ssh": "OpenSSH_10.0p2, OpenSSL 3.5", "age": "v1.2.1", "nix": "nix (Nix) 2.31.2",
            "tofu": "OpenTofu v1.12.6", "tailscale": "1.90.6", "lazygit": "version=0.55.1, os=linux", "docker-compose": "5.6.1",
            "ssh-add": "256 SHA256:abc ada (ED25519)", "ssh-keygen": "",
        }  # fmt: skip
        self.codes: dict[str, int] = {}
        self.libraries = {"textual": "8.2.8"}
        self.variables = {"HOME": "/home/ada", "SSH_AUTH_SOCK": "/run/agent"}
        self.files = {"/home/ada/.ssh/id_ed25519": FileState(0o600), "/homelab/.git": FileState(0o755, folder=True)}
        self.shown = Terminal(True, "xterm-256color", 1 << 24, "utf-8")
        self.names = {"alpha.lan": ("100.64.0.7",)}
        self.greetings: dict[str, str] = {"100.64.0.7": "SSH-2.0-OpenSSH_10.0", "alpha.lan": "SSH-2.0-OpenSSH_10.0"}
        self.certificates = {"pve": Certificate(("pve",), "PVE", START + 300 * 86400, FINGERPRINT, False, "self-signed")}
        self.own_mesh: MeshStatus | None = MeshStatus("Running", "laptop", ("100.64.0.2",))
        self.asked: list[tuple[str, ...]] = []

    def find(self, program: str) -> str:
        return f"/bin/{program}" if program in self.versions else ""

    async def ask(self, argv: Sequence[str], *, deadline: float = 10.0) -> Ran:
        self.asked.append(tuple(argv))
        name = argv[0].rpartition("/")[2]
        if name == "docker-compose" and "config" in argv:
            return Ran(self.codes.get("config", 0), self.versions.get("config", ""))
        return Ran(self.codes.get(name, 0), self.versions[name])

    def environment(self, name: str) -> str:
        return self.variables.get(name, "")

    def library(self, name: str) -> str:
        return self.libraries.get(name, "")

    def terminal(self) -> Terminal:
        return self.shown

    def status(self, path: Path) -> FileState | None:
        return self.files.get(str(path))

    async def addresses(self, name: str) -> tuple[str, ...]:
        if name not in self.names:
            raise Unreachable(f"{name} is not resolved", "Name or service not known")
        return self.names[name]

    async def greeting(self, host: str, port: int) -> str:
        if host not in self.greetings:
            raise Unreachable(f"{host} port {port} cannot be reached", "Connection refused")
        return self.greetings[host]

    async def certificate(self, host: str, port: int, name: str) -> Certificate:
        if host not in self.certificates:
            raise Unreachable(f"{host} port {port} cannot be reached", "Connection refused")
        return self.certificates[host]

    async def mesh(self) -> MeshStatus | None:
        return self.own_mesh


class FakeKeyring:
    def __init__(self) -> None:
        self.sops: SopsProgram | CockpitError = SopsProgram("3.13.2", "/bin/sops", False)
        self.own = [Identity("/home/ada/.config/sops/age/keys.txt", (ADA,), 0o600)]
        recipients = (Recipient(ADA, "ada"), Recipient(RECOVERY, "recovery"), Recipient(HOST_KEY, "alpha"))
        self.all = [Rule("^secrets/alpha/", 3, recipients), Rule("^secrets/operator/", 7, recipients[:2])]
        self.error: CockpitError | None = None

    async def program(self) -> SopsProgram:
        if isinstance(self.sops, CockpitError):
            raise self.sops
        return self.sops

    async def identities(self) -> tuple[Identity, ...]:
        return tuple(self.own)

    async def rules(self) -> tuple[Rule, ...]:
        if self.error is not None:
            raise self.error
        return tuple(self.all)


class FakeCheckup:
    def __init__(self) -> None:
        self.said: HostCheckup | CockpitError = HostCheckup(
            user="cockpit",
            groups=("cockpit", "docker"),
            sudo=True,
            programs=("cockpit-converge", "cockpit-secrets", "cockpit-transaction"),
            keys=(HOST_KEY,),
            inodes=(("/", 0.1),),
            engine=EngineCheckup("29.1.3", "1.52", True),
            mesh=MeshStatus("Running", "alpha", ("100.64.0.7",)),
        )
        self.certificates: dict[str, Certificate] = {
            NAME: Certificate(("home.test", "*.home.test"), "E7", START + 60 * 86400, "AA")
        }

    async def checkup(self) -> HostCheckup:
        if isinstance(self.said, CockpitError):
            raise self.said
        return self.said

    async def certificate(self, name: str, address: str, port: int) -> Certificate:
        if name not in self.certificates:
            raise Unreachable(f"{address}:{port} shows no certificate")
        return self.certificates[name]

    def says(self, **values: object) -> None:
        assert isinstance(self.said, HostCheckup)
        self.said = replace(self.said, **values)


@dataclass
class Clinic:
    files: dict[str, bytes] = field(default_factory=dict)
    machine: FakeMachine = field(default_factory=FakeMachine)
    keyring: FakeKeyring = field(default_factory=FakeKeyring)
    host: FakeCheckup = field(default_factory=FakeCheckup)
    clock: FakeClock = field(default_factory=FakeClock)
    user: UserSettings = field(default_factory=UserSettings)
    trouble: CockpitError | None = None
    engine_error: CockpitError | None = None

    def __post_init__(self) -> None:
        token = SecretSettings("token", "secrets/alpha/web.yaml", "web.token")
        self.settings: Settings | None = Settings(
            root=ROOT,
            keep=15,
            hosts={"alpha": HostSettings("alpha", "100.64.0.7", host_key=HOST_KEY, flake="nix#alpha", projects=("web",))},
            projects={"web": ProjectSettings("web", "compose/web", "/var/lib/cockpit/projects/web", secrets=(token,))},
            clusters={
                "home": ClusterSettings(
                    "home",
                    ("pve:8006",),
                    "cockpit@pve!tui",
                    CredentialSettings("secrets/operator/pve.yaml", "token"),
                    FINGERPRINT,
                )
            },
        )
        closure = Closure("/nix/store/new", "c" * 40, nixos="26.05.1", has_cockpit=True)
        self.facts = HostFacts(
            "alpha", START, START, closure, closure.path, closure.path, closure.path, 7, (), disks=(Disk("/", 40, 100),)
        )
        lock = {"nodes": {"nixpkgs": {"locked": {"lastModified": int(START) - 5 * 86400}},
                          "root": {"inputs": {"nixpkgs": "nixpkgs"}}}, "root": "root"}  # fmt: skip
        texts: dict[str, str] = {
            "cockpit.yaml": "version: 1\n",
            "compose/web/compose.yaml": COMPOSE,
            "compose/web/compose.lock.yaml": LOCK,
            "compose/web/.env": "TAILNET_IP=100.64.0.7\nDOMAIN=home.test # a comment\n",
            "compose/web/traefik.env": "TZ=UTC\n",
            "compose/web/dynamic/security.yaml": "http: {}\n",
            "nix/flake.nix": FLAKE,
            "nix/flake.lock": json.dumps(lock),
            "nix/hosts/alpha/default.nix": "{ boot.loader.systemd-boot.configurationLimit = 20; }\n",
            "nix/hosts/alpha/site.nix": SITE,
            "tofu/main.tf": TOFU,
            "tofu/.terraform.lock.hcl": 'provider "registry.opentofu.org/telmate/proxmox" {\n  version = "3.0.2-rc09"\n}\n',
            "tofu/homelab.auto.tfvars.json": '{"node": "pve"}\n',
            ".github/workflows/deploy.yml": WORKFLOW,
            "secrets/alpha/web.yaml": sealed("web:\n  token: s3cret\n", ADA, RECOVERY, HOST_KEY).decode(),
            "secrets/operator/pve.yaml": sealed("token: 0000\n", ADA, RECOVERY).decode(),
        }
        self.files |= {name: text.encode() for name, text in texts.items()}

    def write(self, path: str, text: str | bytes) -> None:
        self.files[path] = text if isinstance(text, bytes) else text.encode()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.files[path].decode()
        assert old in text, f"{path} does not say {old!r}"
        self.files[path] = text.replace(old, new).encode()

    def of_host(self, **values: object) -> None:
        assert self.settings is not None
        hosts = {"alpha": replace(self.settings.hosts["alpha"], **values)}
        self.settings = replace(self.settings, hosts=hosts)

    def of_project(self, **values: object) -> None:
        assert self.settings is not None
        self.settings = replace(self.settings, projects={"web": replace(self.settings.projects["web"], **values)})

    def of_cluster(self, **values: object) -> None:
        assert self.settings is not None
        self.settings = replace(self.settings, clusters={"home": replace(self.settings.clusters["home"], **values)})

    def context(self) -> Context:
        tree = FakeTree(self.files)
        tree.state = self.status

        async def facts(*, deep: bool = True) -> HostFacts:
            return self.facts

        async def services() -> ServicesSnapshot:
            if self.engine_error is not None:
                raise self.engine_error
            return ServicesSnapshot("alpha", START, ())

        def mine() -> set[str]:
            return {key for identity in self.keyring.own for key in identity.recipients}

        context = Context(self.machine, self.clock, self.user, config.parse, self.settings, self.trouble)
        context.tree = cast(WorkTree, tree)
        context.keyring = cast(Keyring, self.keyring)
        context.secrets = cast(SecretStore, FakeStore(self.keyring.all, mine))
        if self.settings is not None:
            registry = cast(Registry, None)  # nobody asks it: a lock is only compared
            context.lock = Lock(self.settings.projects, context.tree, ComposeYaml(), registry, observes=True)
        context.hosts = {"alpha": cast(Host, SimpleNamespace(facts=facts))}
        context.engines = {"alpha": cast(ContainerEngine, SimpleNamespace(services=services))}
        context.checkups = {"alpha": cast(CheckupHost, self.host)}
        context.wanted = tuple(self.settings.hosts) if self.settings is not None else ()
        return context

    status: WorkStatus = field(default_factory=lambda: WorkStatus("main", "origin/main"))

    async def look(self, check: str) -> tuple[Finding, ...]:
        """What one check finds, but for what is fine. It never says worse than the table does."""
        found = await examine(self.context(), [BY_ID[check]])
        assert not any(result.broken for result in found.results), found.results
        findings = [finding for result in found.results for finding in result.findings if finding.level is not Level.OK]
        order = list(Level)
        for finding in findings:
            assert order.index(finding.level) <= order.index(BY_ID[check].worst), (finding, BY_ID[check].worst)
        return tuple(findings)


__all__ = ["ADA", "CHECKS", "DIGEST", "EXAMPLE", "FINGERPRINT", "HOST_KEY", "NAME", "RECOVERY", "ROOT", "Clinic", "sealed"]
