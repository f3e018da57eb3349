"""What a commit makes of a host: read from its compose files and settings, as the real builder would."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from cockpit.simulator.described import environment as variables_of
from cockpit.simulator.described import filled
from cockpit.simulator.repository import environment

LISTENS = {"paperless-ngx": 8000, "gotenberg": 3000}
"""Ports that images really listen on, by a word of their name: a health check that asks another one fails."""
_ASKED = re.compile(r"127\.0\.0\.1:(\d+)")
_BASE32 = "0123456789abcdfghijklmnpqrsvwxyz"
_PACKAGES = (
    "openssl-3.5.{}",
    "systemd-258.{}",
    "docker-28.5.{}",
    "openssh-10.2p{}",
    "tailscale-1.90.{}",
    "curl-8.17.{}",
    "git-2.51.{}",
)
_STEADY = (
    "glibc-2.42-47",
    "bash-5.3p3",
    "coreutils-9.8",
    "jq-1.8.1",
    "sops-3.11.0",
    "docker-compose-2.40.3",
    "nftables-1.1.5",
    "zstd-1.5.7",
)


class NotBuilt(Exception):
    """The commit makes no release: what a build would end with."""


class ServiceSpec(Struct, frozen=True):
    project: str
    name: str
    image: str
    digest: str
    """Of everything that makes the container; another one recreates it."""
    secrets: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    checked: bool = False
    oneshot: bool = False
    ill: str = ""
    """Why it never becomes healthy."""
    made: dict[str, Any] = field(default_factory=dict)
    """All that the compose file says of it, with its variables filled in."""


class Release(Struct, frozen=True):
    host: str
    commit: str | None
    closure: str
    version: str
    kernel: str
    services: tuple[ServiceSpec, ...] = ()
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    """(project, name) -> digest of what is encrypted."""
    manifest: dict[str, Any] | None = None
    paths: tuple[str, ...] = ()
    """Store paths of its closure."""
    texts: dict[str, bytes] = field(default_factory=dict)
    """The compose files among them, by their store path."""

    @property
    def projects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(service.project for service in self.services))


def store(seed: str, name: str) -> str:
    """A store path as nix would name it."""
    data = hashlib.sha256(seed.encode()).digest()
    return f"/nix/store/{''.join(_BASE32[byte % 32] for byte in data)}-{name}"


def files_of(repository: Path, commit: str) -> dict[str, bytes]:
    """Every file of a commit."""
    done = subprocess.run(  # noqa: S603
        ("git", "-C", str(repository), "archive", "--format=tar", commit),  # noqa: S607
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    if done.returncode != 0:
        raise NotBuilt(f"error: cannot find Git revision '{commit}' in repository")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return {m.name: found.read() for m in archive if m.isfile() and (found := archive.extractfile(m))}


def by_hand(host: str, day: int) -> Release:
    """What a person built with nixos-rebuild before there was cockpit."""
    version, kernel = _versions(day)
    name = f"nixos-system-{host}-{version}"
    path = store(f"{host} by hand {day}", name)
    return Release(host, None, path, version, kernel, paths=(*_paths(day), path))


def read(files: dict[str, bytes], host: str, commit: str) -> Release:
    """Raises NotBuilt with the last line that a real build would print."""
    settings = _yaml(files, "cockpit.yaml")
    mine = (settings.get("hosts") or {}).get(host)
    if not isinstance(mine, dict):
        raise NotBuilt(f"error: flake does not provide attribute 'nixosConfigurations.{host}'")
    services: list[ServiceSpec] = []
    secrets: dict[tuple[str, str], str] = {}
    projects: dict[str, Any] = {}
    texts: dict[str, bytes] = {}
    for project in mine.get("projects") or ():
        entry = (settings.get("projects") or {}).get(project) or {}
        source = str(entry.get("source", "")).removeprefix("./")
        for name, secret in (entry.get("secrets") or {}).items():
            data = files.get(str(secret.get("file")))
            if data is None:
                raise NotBuilt(f"error: {secret.get('file')} is not in the commit")
            secrets[project, name] = hashlib.sha256(data).hexdigest()[:12]
        specs = _services(files, project, source)
        services += specs
        entries = _entries(files, source)
        compose = [name for name in ("compose.yaml", "compose.lock.yaml") if name in entries]
        texts |= {entries[name]: files[f"{source}/{name}"] for name in compose}
        projects[project] = {
            "directory": f"/var/lib/cockpit/projects/{project}",
            "compose": compose,
            "entries": entries,
            "pinned": "compose.lock.yaml" in compose,
            "services": {s.name: {"oneshot": s.oneshot, "image": s.image} for s in specs},
            "secrets": {name: {"path": _entry(name, digest.encode())} for (p, name), digest in secrets.items() if p == project},
        }
    try:
        locked = json.loads(files["nix/flake.lock"])["nodes"]["nixpkgs"]["locked"]["lastModified"]
    except (KeyError, ValueError, TypeError):
        raise NotBuilt("error: nix/flake.lock cannot be read") from None
    version, kernel = _versions(int(locked) // 86400)
    path = store(f"{host} {commit}", f"nixos-system-{host}-{version}")
    manifest = {"schema": 1, "commit": commit, "host": host, "keep": settings.get("keep", 15), "projects": projects}
    manifest["settings"] = {"health": mine.get("health") or [], "timing": mine.get("timing") or {}}
    own = (store(f"{host} {commit} etc", "etc"), store(f"{host} {commit} release", "cockpit-release"), path)
    return Release(
        host, commit, path, version, kernel, tuple(services), secrets, manifest, (*_paths(int(locked) // 86400), *own), texts
    )


def _entries(files: dict[str, bytes], source: str) -> dict[str, str]:
    """Each file and folder at the top of a project's folder, as a store path of its own content."""
    found: dict[str, bytes] = {}
    for name in sorted(files):
        if name.startswith(f"{source}/"):
            top = name.removeprefix(f"{source}/").split("/")[0]
            found[top] = found.get(top, b"") + name.encode() + files[name]
    return {top: _entry(top, content) for top, content in found.items()}


def _entry(name: str, content: bytes) -> str:
    """As nix/lib/release.nix names it."""
    return store(f"{name} {hashlib.sha256(content).hexdigest()}", f"e-{hashlib.sha256(name.encode()).hexdigest()[:12]}")


def _services(files: dict[str, bytes], project: str, source: str) -> list[ServiceSpec]:
    path = f"{source}/compose.yaml"
    data = _yaml(files, path)
    beside = hashlib.sha256(b"".join(files[f] for f in sorted(files) if f.startswith(f"{source}/") and f != path)).hexdigest()
    variables = variables_of(files.get(f"{source}/.env", b""))
    found = []
    for name, written in (data.get("services") or {}).items():
        raw = filled(written, variables)
        if not isinstance(raw, dict) or not raw.get("image"):
            raise NotBuilt(f"error: {path}: services.{name} has no image")
        mounts = any(str(volume).startswith(("./", ".env")) for volume in raw.get("volumes") or ())
        digest = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode() + (beside.encode() if mounts else b""))
        image = str(raw["image"])
        names = tuple(s if isinstance(s, str) else str(s.get("source")) for s in raw.get("secrets") or ())
        found.append(
            ServiceSpec(
                project=project,
                name=str(name),
                image=image,
                digest=digest.hexdigest()[:16],
                secrets=names,
                ports=tuple(int(m[1]) for p in raw.get("ports") or () if (m := re.search(r"(\d+):\d+$", str(p)))),
                checked=bool(raw.get("healthcheck"))
                or any(word in image for word in ("homepage", "kuma", "gotify", "watchtower")),
                oneshot=str(raw.get("restart", "no")) in ("no", "on-failure"),
                ill=_ill(project, str(name), image, raw.get("healthcheck")),
                made=raw,
            )
        )
    return found


def _ill(project: str, name: str, image: str, check: object) -> str:
    asked = _ASKED.search(json.dumps(check, default=str))
    listens = next((port for word, port in LISTENS.items() if word in image), None)
    if listens is None or asked is None or int(asked[1]) == listens:
        return ""
    return f"{project}/{name} is unhealthy: curl: (7) Failed to connect to 127.0.0.1 port {asked[1]}: Connection refused"


def _yaml(files: dict[str, bytes], path: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = posixpath.normpath(path)
    if path not in files:
        raise NotBuilt(f"error: {path} is not in the commit")
    try:
        data = YAML(typ="safe", pure=True).load(files[path].decode("utf-8", "replace"))
    except YAMLError as error:
        raise NotBuilt(f"error: {path}: {str(error).splitlines()[0]}") from None
    return data if isinstance(data, dict) else {}


def _versions(day: int) -> tuple[str, str]:
    """(NixOS, kernel) of nixpkgs as it was on a day (since the epoch)."""
    return f"26.05.{time.strftime('%Y%m%d', time.gmtime(day * 86400))}.simulated", f"6.12.{max(1, (day - 20400) // 7)}"


def _paths(day: int) -> tuple[str, ...]:
    week = day // 7
    names = [name.format((week + index) // (index + 2) % 9 + 1) for index, name in enumerate(_PACKAGES)]
    return tuple(store(name, name) for name in (*names, *_STEADY, f"linux-{_versions(day)[1]}"))
