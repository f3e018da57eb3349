"""What the demo's repository went through: its commits, oldest first, as changes of its tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from msgspec import Struct

Files = dict[str, bytes]
DAY = 86400.0
ADA, BEN = ("Ada Marlow", "ada@home.example.org"), ("Ben Okafor", "ben@home.example.org")
WEB, HOMEPAGE = "compose/paperless/compose.yaml", "compose/home/compose.yaml"
OBSERVE, CORE, LOCK = "compose/observe/compose.yaml", "compose/core/compose.yaml", "nix/flake.lock"


class Step(Struct, frozen=True):
    """One commit. `homelab` and `nas` say how its deploy there went: `done`, `reverted`, `back` (rolled back later), or none."""

    days: float
    """How long ago."""
    author: tuple[str, str]
    subject: str
    change: Callable[[Files], None]
    homelab: str = ""
    nas: str = ""
    why: str = ""


def swap(path: str, old: str, new: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        before = files[path]
        files[path] = before.replace(old.encode(), new.encode())
        if files[path] == before:
            raise ValueError(f"{path} does not say {old!r}: the tree went on, and the demo's story did not")

    return change


def both(*changes: Callable[[Files], None]) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        for one in changes:
            one(files)

    return change


def _lock(day: int, rev: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        data = json.loads(files[LOCK])
        for node in data["nodes"].values():
            if "locked" in node:
                node["locked"]["lastModified"] = day * 86400
                node["locked"]["rev"] = (rev * 7)[:40]
        files[LOCK] = json.dumps(data, indent=2).encode() + b"\n"

    return change


def _add(files: Mapping[str, str]) -> Callable[[Files], None]:
    return lambda tree: tree.update({path: text.encode() for path, text in files.items()})


def old(files: Files) -> None:
    """The tree as it was when the story begins: with the images of then."""
    for path, now, then in (
        (WEB, "paperless-ngx:2.20.3", "paperless-ngx:2.19.6"),
        (WEB, "postgres:17.7-alpine", "postgres:17.6-alpine"),
        (WEB, "start_period: 120s", "start_period: 30s"),
        (HOMEPAGE, "homepage:v1.12.3", "homepage:v1.11.0"),
        (OBSERVE, "uptime-kuma:2.5.3-rootless", "uptime-kuma:2.5.1-rootless"),
        (OBSERVE, "gotify/server:3.0.0", "gotify/server:2.7.3"),
        (OBSERVE, '      GOTIFY_REGISTRATION: "false"\n', ""),
        (CORE, "traefik:v3.7.9", "traefik:v3.7.6"),
    ):
        swap(path, now, then)(files)
    files["compose/home/config/bookmarks.yaml"] = b"---\n[]\n"


def steps(today: int, first: Mapping[str, str], token: Mapping[str, str], bookmarks: str) -> tuple[Step, ...]:
    """`first` are the files of the first commit that the reference has not, `token` those of the rotated secret."""
    return (
        Step(41, ADA, "A homelab: Traefik, Paperless, monitoring", both(old, _add(first), _lock(today - 48, "4e7a1f")), "done"),
        Step(38.1, BEN, "nas: a second host, with Syncthing and a place for backups", _nas, "done", "done"),
        Step(33.3, ADA, "paperless: 2.19.6 -> 2.20.1", swap(WEB, "paperless-ngx:2.19.6", "paperless-ngx:2.20.1"), "done"),
        Step(27.6, BEN, "home: bookmarks", _add({"compose/home/config/bookmarks.yaml": bookmarks}), "done"),
        Step(24.2, ADA, "core: Traefik 3.7.6 -> 3.7.9", swap(CORE, "traefik:v3.7.6", "traefik:v3.7.9"), "done"),
        Step(19.4, ADA, "paperless: PostgreSQL 17.6 -> 17.7", swap(WEB, "postgres:17.6-alpine", "postgres:17.7-alpine"), "done"),
        Step(14.0, BEN, "observe: Uptime Kuma 2.5.1 -> 2.5.3", swap(OBSERVE, "uptime-kuma:2.5.1", "uptime-kuma:2.5.3"), "done"),
        Step(
            11.2, ADA, "paperless: 2.20.1 -> 2.20.2", swap(WEB, "paperless-ngx:2.20.1", "paperless-ngx:2.20.2"), "reverted", "",
            "paperless/web is unhealthy: it migrates its database for longer than start_period",
        ),
        Step(11.1, ADA, "paperless: patience with its first start", swap(WEB, "start_period: 30s", "start_period: 120s"), "done"),
        Step(7.3, BEN, "nixpkgs: update", _lock(today - 8, "91c3d2"), "done", "done"),
        Step(
            4.5, ADA, "observe: Gotify 2.7.3 -> 3.0.0", swap(OBSERVE, "gotify/server:2.7.3", "gotify/server:3.0.0"), "back", "",
            "anybody could sign up at Gotify",
        ),
        Step(
            4.4, BEN, "observe: nobody signs up at Gotify by themselves",
            swap(OBSERVE, "    secrets: [gotify-admin]\n", '      GOTIFY_REGISTRATION: "false"\n    secrets: [gotify-admin]\n'),
            "done",
        ),
        Step(1.2, ADA, "core: a new token for Cloudflare", _add(token), "done", "done"),
        Step(
            0.02, ADA, "paperless 2.20.3, Homepage 1.12.3",
            both(swap(WEB, "paperless-ngx:2.20.2", "paperless-ngx:2.20.3"), swap(HOMEPAGE, "v1.11.0", "v1.12.3")),
        ),
    )  # fmt: skip


def broken() -> Step:
    """The commit that waits at `origin`: its health check asks a port where nobody listens."""
    return Step(
        0.01, BEN, "paperless: its health check asks port 8001", swap(WEB, "http://127.0.0.1:8000", "http://127.0.0.1:8001")
    )


def _nas(files: Files) -> None:
    files["compose/files/compose.yaml"] = b"""services:
  syncthing:
    image: syncthing/syncthing:2.0.10
    restart: unless-stopped
    user: "1000:1000"
    ports: ["127.0.0.1:8384:8384", "22000:22000"]
    volumes:
      - /tank/files:/var/syncthing
    cap_drop: [ALL]
    healthcheck:
      test: [CMD, curl, -fkLsS, -m, "2", "127.0.0.1:8384/rest/noauth/health"]
      interval: 30s
"""
    files["compose/backup/compose.yaml"] = b"""# Everything else pushes its backups here; nothing can delete what it pushed.
services:
  rest-server:
    image: restic/rest-server:0.14.0
    restart: unless-stopped
    environment:
      OPTIONS: --append-only --private-repos
      PASSWORD_FILE: /run/secrets/htpasswd
    secrets: [htpasswd]
    ports: ["8000:8000"]
    volumes:
      - /tank/restic:/data
    cap_drop: [ALL]

secrets:
  htpasswd: {file: /run/cockpit/secrets/backup/htpasswd}
"""
    files["nix/hosts/nas/default.nix"] = b"""# Disks, and what is kept on them.
{
  imports = [ ../homelab/hardware.nix ];

  networking.hostName = "nas";
  time.timeZone = "Europe/Berlin";
  system.stateVersion = "26.05";

  cockpit.root = ../../..;

  boot.supportedFilesystems = [ "zfs" ];
  networking.hostId = "8425e349";
  services.zfs.autoScrub.enable = true;
  services.tailscale.enable = true;
  services.openssh.enable = true;
}
"""
    files["nix/flake.nix"] = files["nix/flake.nix"].replace(
        b"      nixosConfigurations.homelab =",
        b"""      nixosConfigurations.nas = nixpkgs.lib.nixosSystem {
        modules = [
          self.nixosModules.cockpit
          ./hosts/nas
          { system.configurationRevision = self.rev or self.dirtyRev or null; }
        ];
      };

      nixosConfigurations.homelab =""",
    )
