"""ports.Surveyor: one reading of a host that is not cockpit's yet. What it says is outside text, and may be made to mislead."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cockpit.adapters.ssh import SshConnection
from cockpit.domain.errors import CockpitError, Refused
from cockpit.domain.inventory import FoundProject, FoundService, Inventory
from cockpit.domain.text import lines, plain

SCRIPT = Path(__file__).with_name("inventory.sh")
LONGEST = 200
_UNIT = re.compile(
    r"^(comin|nixos-upgrade|github-runner.*|gitea-runner.*|actions-runner.*|docker-compose.*|compose2nix.*|arion.*|watchtower.*|podman-.*"
    r"|docker-(?!prune).+)\.(service|timer)$"
)


class HostSurveyor:
    """`ssh` signs in as root, or as somebody who may use the engine; `sudo` where that needs it."""

    def __init__(self, ssh: SshConnection, *, sudo: bool) -> None:
        self._ssh = ssh
        self._sudo = "sudo -n " if sudo else ""

    async def inventory(self) -> Inventory:
        answer = await self._ssh.exec(f"{self._sudo}sh -s", stdin=SCRIPT.read_bytes(), deadline=60.0)
        if answer.code != 0 or not answer.out.startswith(b"inventory\0"):
            why = " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:])
            raise Refused(
                f"{self._ssh.target} cannot be looked at", why, "an inventory needs root: --as NAME with passwordless sudo"
            )
        return inventory_from(answer.out)

    async def close(self) -> None:
        await self._ssh.close()


def inventory_from(data: bytes) -> Inventory:
    """What the script printed."""
    words = data.decode("utf-8", "replace").split("\0")
    pairs = list(zip(words[::2], words[1::2], strict=False))
    said = dict(pairs)
    if said.get("inventory") != "1":
        raise CockpitError("the host's answer is not understood", "it does not begin as an inventory does")
    rows = [row for line in said.get("containers", "").splitlines() if (row := _row(line)) is not None]
    count = said.get("count", "").strip()
    generation = re.fullmatch(r"system-(\d{1,9})-link", said.get("profile", ""))
    return Inventory(
        hostname=_short(said.get("hostname", "")),
        nixos=_short(said.get("nixos", "")),
        generation=int(generation[1]) if generation else None,
        cockpit="cockpit" in said,
        engine="engine" in said,
        projects=_projects(rows),
        alone=tuple(service for project, _, _, service in rows if not project),
        units=tuple(unit for unit in map(_short, said.get("units", "").split()) if _UNIT.match(unit)),
        identities=tuple(_short(value) for key, value in pairs if key == "identity"),
        left_out=max(int(count) - len(rows), 0) if count.isdigit() and len(count) < 9 else 0,
    )


Row = tuple[str, str, tuple[str, ...], FoundService]
"""Project, its directory, its files, and the service; of a container."""


def _row(line: str) -> Row | None:
    try:
        name, image, state, labels = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(labels, dict):
        labels = {}
    compose = {key.removeprefix("com.docker.compose."): _short(str(value)) for key, value in labels.items()}
    files = tuple(file for file in compose.get("project.config_files", "").split(",") if file)
    service = compose.get("service") or _short(str(name)).lstrip("/")
    found = FoundService(service, _short(str(image)), _short(str(state)))
    return compose.get("project", ""), compose.get("project.working_dir", ""), files, found


def _projects(rows: list[Row]) -> tuple[FoundProject, ...]:
    names = sorted({project for project, _, _, _ in rows if project})
    found = []
    for name in names:
        own = [row for row in rows if row[0] == name]
        services = tuple(sorted((service for _, _, _, service in own), key=lambda service: service.name))
        found.append(FoundProject(name, own[0][1], own[0][2], services))
    return tuple(found)


def _short(text: str) -> str:
    return plain(text)[:LONGEST].strip()
