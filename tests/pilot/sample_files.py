"""The repository of the sample homelab: a work tree and a secret store in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from cockpit.domain.errors import Conflict, SecretError, UsageError
from cockpit.domain.files import Change, Content, Entry, PushTarget, WorkStatus
from cockpit.domain.secret import Secret

PAPERLESS = """\
# paperless-ngx on homelab, rendered to /run/cockpit/secrets/paperless
paperless:
    secret-key: k3y-of-paperless
    db-password: 8Qv-m2rT-x0Lw-Zc7e
    admin-password: adm1n-horse
    admin-user_unencrypted: ada
    oidc:
        client-id: paperless
        client-secret: 0idc-horse
        issuer_unencrypted: https://id.lab.example.org
    mail:
        host_unencrypted: imap.example.org
        port_unencrypted: 993
        user: ada
        password: ma1l-horse
        folder: scans
restic:
    repository: rest:https://pbs.lab.example.org
    password: r3stic-horse
"""
COMPOSE = """\
services:
  web:
    image: ghcr.io/paperless-ngx/paperless-ngx:2.14.0
    restart: unless-stopped
    ports: ["8000:8000"]
    environment:
      PAPERLESS_URL: https://paperless.lab.example.org
      PAPERLESS_TIKA_ENABLED: 1
    secrets: [db-password]
"""
NIX = """\
{ config, pkgs, ... }:
{
  # one host, everything on it
  networking.hostName = "homelab";
  services.openssh.enable = true;
  environment.systemPackages = with pkgs; [ git vim ];
}
"""
MARK = "ENC[AES256_GCM,data:"


def sealed(text: str) -> bytes:
    """What stands on the disk for a secret's file: keys legible, values not; for these tests only."""
    lines = []
    for line in text.splitlines():
        key, colon, value = line.partition(": ")
        plain = not colon or key.endswith("_unencrypted") or line.startswith("#")
        lines.append(line if plain else f"{key}: {MARK}{value.encode().hex()},type:str]")
    return "\n".join(
        [
            *lines,
            "sops:",
            f"    mac: {MARK}00,type:str]",
            "    age:",
            "        - recipient: age1ada",
            "        - recipient: age1homelab",
            "",
        ]
    ).encode()


def opened(data: bytes) -> str:
    out = []
    for line in data.decode().splitlines():
        if line == "sops:":
            break
        key, colon, value = line.partition(f": {MARK}")
        out.append(f"{key}: {bytes.fromhex(value.removesuffix(',type:str]')).decode()}" if colon else line)
    return "\n".join([*out, ""])


HEAD: dict[str, bytes] = {
    ".github/workflows/ci.yml": b"on: push\n",
    ".sops.yaml": b"creation_rules: []\n",
    "README.md": b"# Homelab\n\nEverything that runs here, as code.\n",
    "cockpit.yaml": b"version: 1\n",
    "compose/core/compose.yaml": b"services: {}\n",
    "compose/core/traefik.yaml": b"log: {}\n",
    "compose/paperless/compose.yaml": COMPOSE.replace("2.14.0", "2.13.5").encode(),
    "flake.lock": b"{}\n",
    "flake.nix": b"{ outputs = _: { }; }\n",
    "nix/hosts/edge.nix": NIX.replace("homelab", "edge").encode(),
    "nix/hosts/homelab.nix": NIX.encode(),
    "secrets/edge/traefik.yaml": sealed("token: tr4efik\n"),
    "secrets/homelab/paperless.yaml": sealed(
        PAPERLESS.replace("8Qv-m2rT-x0Lw-Zc7e", "old-horse").replace("        folder: scans\n", "")
    ),
    "secrets/homelab/restic.yaml": sealed("password: r3stic\n"),
}


class SampleWorkTree:
    """Files in memory, with an index of paths; what was asked of git is in `asked`."""

    def __init__(self) -> None:
        self.head = dict(HEAD)
        self.files = HEAD | {
            "compose/paperless/compose.yaml": COMPOSE.encode(),
            "secrets/homelab/paperless.yaml": sealed(PAPERLESS),
            "secrets/edge/dns-token.txt": b"p1ain-token\n",
            "logo.png": b"\x89PNG\0\0",
        }
        self.head["logo.png"] = self.files["logo.png"]
        self.staged = {"compose/paperless/compose.yaml"}
        self.asked: list[str] = []
        self.deploys = True
        self.ahead = 1
        self.program = ""

    def changes(self) -> tuple[Change, ...]:
        out = []
        for path in sorted({*self.head, *self.files}):
            old, new = self.head.get(path), self.files.get(path)
            if old == new:
                continue
            kind = "D" if new is None else "M" if old is not None else "A" if path in self.staged else "?"
            counts = (2, 1) if kind == "M" else (None, None)
            if path in self.staged:
                out.append(Change(path, kind, ".", "", *counts))
            else:
                out.append(Change(path, "?" if kind == "?" else ".", kind, "", *counts))
        return tuple(out)

    async def status(self) -> WorkStatus:
        return WorkStatus("main", "origin/main", self.ahead, 0, True, self.changes())

    async def entries(self, most: int) -> tuple[tuple[Entry, ...], int]:
        return tuple(Entry(path, len(data), hash(data)) for path, data in sorted(self.files.items())), 0

    async def read(self, path: str, most: int) -> Content:
        if path not in self.files:
            raise UsageError(f"{path} cannot be opened", "it is not there")
        return Content(path, self.files[path], hashlib.sha256(self.files[path]).hexdigest())

    async def read_many(self, paths: Sequence[str], most: int) -> dict[str, bytes]:
        return {path: self.files[path] for path in paths if path in self.files}

    async def at_head(self, path: str) -> bytes | None:
        return self.head.get(path)

    async def at_index(self, path: str) -> bytes | None:
        return self.files.get(path)

    async def write(self, path: str, data: bytes, expected: str) -> Content:
        if (await self.read(path, 0)).digest != expected:
            raise Conflict(f"{path} changed on the disk")
        self.files[path] = data
        return await self.read(path, 0)

    async def stage(self, paths: Sequence[str]) -> None:
        self.asked.append(f"stage {' '.join(paths)}")
        self.staged |= set(paths)

    async def unstage(self, paths: Sequence[str]) -> None:
        self.asked.append(f"unstage {' '.join(paths)}")
        self.staged -= set(paths)

    async def commit(self, message: str, *, amend: bool) -> str:
        self.asked.append(f"{'amend' if amend else 'commit'} {json.dumps(message)}")
        for path in self.staged:
            self.head[path] = self.files[path]
        self.staged.clear()
        self.ahead += 0 if amend else 1
        return "5c0ffee" + "0" * 33

    async def message(self) -> str:
        return "paperless: 2.14.0\n\nA body.\n"

    async def push_target(self) -> PushTarget:
        return PushTarget("origin", "main", tuple(f"8c41f0{n} paperless: 2.14.{n}" for n in range(self.ahead)), self.deploys)

    async def push(self, target: PushTarget) -> None:
        self.asked.append(f"push {target.remote}/{target.branch}")
        self.ahead = 0

    async def pull(self) -> str:
        self.asked.append("pull")
        return "nothing new"

    async def discard(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.asked.append(f"discard {change.path}")
            self.staged.discard(change.path)
            if (data := self.head.get(change.path)) is not None:
                self.files[change.path] = data
            else:
                del self.files[change.path]

    def lazygit(self) -> str:
        return self.program

    async def run_lazygit(self) -> int:
        self.asked.append("lazygit")
        return 0


class SampleSecrets:
    """`broken` stands for a machine without the key."""

    def __init__(self) -> None:
        self.broken = False

    async def decrypt(self, path: str, data: bytes, key: str | None = None) -> Secret:
        if self.broken:
            raise SecretError(f"{path} cannot be decrypted", "no key on this machine opens it", "ask for sops updatekeys")
        return Secret(opened(data).encode())

    async def encrypt(self, path: str, plain: Secret) -> bytes:
        if self.broken:
            raise SecretError(f"{path} cannot be encrypted", "sops is not installed", "install sops")
        return sealed(plain.reveal().decode())

    async def reencrypt(self, path: str, plain: Secret, before: bytes) -> bytes:
        return await self.encrypt(path, plain)

    def lost(self, path: str, wanted: Secret, got: Secret) -> str:
        return "" if wanted.reveal() == got.reveal() else "line 1"

    def governs(self, path: str) -> bool:
        return path.startswith("secrets/")

    def readers(self, path: str, data: bytes) -> tuple[str, ...]:
        return ("age1ada", "age1homelab")

    def is_encrypted(self, path: str, data: bytes) -> bool:
        return b"\nsops:\n" in data

    async def version(self) -> str:
        return "3.12.2"
