"""What adapters/nixos/contents.sh would print on a simulated host, and the compose files that are asked for after it."""

from __future__ import annotations

import hashlib
import json

from cockpit.simulator.host import Host
from cockpit.simulator.release import Release, store

RELOADED = "cockpit-secrets.service"


def printed(host: Host, system: str, booted: str) -> bytes | None:
    """KEY NUL VALUE NUL; None for a system that is not there."""
    release, first = _release(host, system), _release(host, booted)
    if release is None or first is None:
        return None
    kernel = [f"{store(f'{first.kernel} {part}', part)}/{part}" for part in ("bzImage", "initrd", "kernel-modules")]
    fields = {
        "closure": release.closure,
        "kernel": "\n".join(kernel),
        "version": first.kernel,
        "paths": "\n".join(release.paths),
        "units": "\n".join(f"{_digest(text)}  {unit}" for unit, text in _units(release).items()),
        "reloads": RELOADED,
        "stays": "cockpit-recover.service",
    }
    if release.manifest is not None:
        fields["manifest"] = json.dumps(release.manifest)
    return "".join(f"{key}\0{value}\0" for key, value in fields.items()).encode()


def files(host: Host, paths: list[str]) -> bytes | None:
    """Each file's name and content, NUL behind both; None where one is not there."""
    known = {path: text for release in host.releases.values() for path, text in release.texts.items()}
    if not all(path in known for path in paths):
        return None
    return b"".join(path.encode() + b"\0" + known[path] + b"\0" for path in paths)


def _release(host: Host, system: str) -> Release | None:
    named = {"/run/current-system": host.running, "/run/booted-system": host.booted}
    return host.releases.get(named.get(system, system))


def _units(release: Release) -> dict[str, str]:
    """Unit -> what it would be made of."""
    found = {f"{name}.service": next((p for p in release.paths if f"-{program}-" in p), "")
             for name, program in (("docker", "docker"), ("sshd", "openssh"), ("tailscaled", "tailscale"))}  # fmt: skip
    if release.manifest is not None:
        found |= dict.fromkeys(("cockpit-converge.service", "cockpit-recover.service", RELOADED), release.closure)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
