"""Reads what a repository is made of: flake, hosts, compose projects, encrypted files beside them. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from cockpit.actions.adopt.flake import has_inputs
from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.services import COMPOSE_FILES
from cockpit.domain.settings import SIDECAR

PROJECT_FOLDERS = ("containers", "compose", "stacks", "docker", "services")
FLAKE_FOLDERS = ("nixos", "nix", "")
MOST = 1024 * 1024
"""Bytes of a file that is read: all of these are written by hand."""

_NAME = re.compile(r"""^name:[ \t]*["']?([A-Za-z0-9_.-]+)["']?[ \t]*(#.*)?$""", re.MULTILINE)
_HOST = re.compile(r"nixosConfigurations\s*\.\s*\"?([A-Za-z0-9_-]+)\"?\s*=")
_HOSTS = re.compile(r"nixosConfigurations\s*=\s*(?:rec\s*)?\{")
_MEMBER = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*=\s*[^;{\[(]*(?:nixosSystem|import)\b")
_ADDRESS = re.compile(r"\baddress\s*=\s*\"(\d{1,3}(?:\.\d{1,3}){3})\"")
_STATE = re.compile(r"system\.stateVersion\s*=\s*\"(\d\d\.\d\d)\"")
_GUEST = re.compile(r"resource\s+\"proxmox_[a-z_]+\"\s+\"([^\"]+)\"\s*\{(.*?)^\}", re.DOTALL | re.MULTILINE)
_VMID = re.compile(r"^\s*vmid\s*=\s*(\d+)", re.MULTILINE)
_RECIPIENT = re.compile(r"recipient\"?[=:]\s*\"?(age1[0-9a-z]{20,}|ssh-[a-z0-9-]+ [A-Za-z0-9+/=]+)")
_DEPLOYS = re.compile(r"nixos-rebuild|docker[ -]compose|rsync")


class FoundFolder(Struct, frozen=True):
    """A compose project of the repository."""

    name: str
    """As compose names it on a host."""
    source: str
    compose: str
    """Its compose file's name."""
    sidecars: tuple[str, ...] = ()
    """Files at its top that stand encrypted for one without the suffix."""


class Shape(Struct, frozen=True):
    root: Path
    flake_folder: str
    """Where flake.nix is, or would be; empty for the top."""
    flake: str | None
    locked: bool
    """It has a lock, or nothing to be locked."""
    hosts: tuple[str, ...]
    """nixosConfigurations of the flake."""
    configuration: bool
    """There is a configuration.nix beside it."""
    revision_set: bool
    """Some module says `configurationRevision` already."""
    projects_folder: str
    projects: tuple[FoundFolder, ...]
    recipients: tuple[str, ...] = ()
    """Of the sidecars: age keys and ssh keys."""
    address: str = ""
    """An address that the host's configuration gives one of its interfaces."""
    state_version: str = ""
    guests: tuple[tuple[str, str], ...] = ()
    """(name, VMID or nothing) of guests that OpenTofu describes."""
    pipelines: tuple[str, ...] = ()
    """Workflows that deploy by themselves."""


def read(root: Path, flake_folder: str | None = None, projects_folder: str | None = None) -> Shape:
    """UsageError where it is no such repository, and what is missing."""
    if not (root / ".git").exists():
        raise UsageError(f"{root} is no git repository", "cockpit deploys commits", "git init, and commit what is there")
    folder = _flake_folder(root, flake_folder)
    at = root / folder
    flake = text(at / "flake.nix")
    modules = "\n".join(filter(None, (text(path) for path in sorted(at.glob("*.nix")))))
    found = _projects_folder(root, projects_folder)
    projects = tuple(_projects(root, found))
    by_name: dict[str, str] = {}
    for project in projects:
        if project.name in by_name:
            raise Refused(
                f"{by_name[project.name]} and {project.source} are both project {project.name}",
                "compose would take one for the other",
                "rename a folder, or give one of them a name: of its own",
            )
        by_name[project.name] = project.source
    address, state = _ADDRESS.search(modules), _STATE.search(modules)
    return Shape(
        root=root,
        flake_folder=folder,
        flake=flake,
        locked=(at / "flake.lock").is_file() or (flake is not None and not has_inputs(flake)),
        hosts=hosts_of(flake or ""),
        configuration=(at / "configuration.nix").is_file(),
        revision_set="configurationRevision" in modules,
        projects_folder=found,
        projects=projects,
        recipients=tuple(dict.fromkeys(_recipients(root, projects))),
        address=address[1] if address else "",
        state_version=state[1] if state else "",
        guests=tuple(_guests(root)),
        pipelines=tuple(_pipelines(root)),
    )


def text(path: Path) -> str | None:
    """A file that a person wrote; None where there is none. UsageError where it is no text, or too big."""
    try:
        if path.stat().st_size > MOST:
            raise UsageError(f"{path} is too big", f"{MOST} bytes are the most")
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", str(error)) from None


def project_name(folder: str, compose: str) -> str:
    """What compose calls a project: `name:`, else the folder in lower case without what a name may not have."""
    if match := _NAME.search(compose):
        return match[1]
    return re.sub(r"[^a-z0-9_-]", "", folder.lower()).lstrip("_-")


def hosts_of(flake: str) -> tuple[str, ...]:
    """Names under nixosConfigurations, in file order."""
    found = [match[1] for match in _HOST.finditer(flake)]
    for group in _HOSTS.finditer(flake):
        at, depth = group.end(), 1
        while at < len(flake) and depth:
            if depth == 1 and (member := _MEMBER.match(flake, at)):
                found.append(member[1])
                at = member.end()
                continue
            depth += {"{": 1, "}": -1}.get(flake[at], 0)
            at += 1
    return tuple(dict.fromkeys(found))


def _flake_folder(root: Path, wanted: str | None) -> str:
    if wanted is not None:
        folder = wanted.strip("/").removeprefix("./")
        folder = "" if folder == "." else folder
        if not (root / folder).is_dir():
            raise UsageError(f"there is no folder {wanted}", "--flake names the folder of flake.nix or configuration.nix")
        return folder
    for name in ("flake.nix", "configuration.nix"):
        for folder in FLAKE_FOLDERS:
            if (root / folder / name).is_file():
                return folder
    raise UsageError(
        "there is no flake.nix and no configuration.nix",
        f"not in {', '.join(f'{f}/' if f else 'the top' for f in FLAKE_FOLDERS)}",
        "--flake FOLDER names where it is",
    )


def _projects_folder(root: Path, wanted: str | None) -> str:
    for folder in (wanted.strip("/").removeprefix("./"),) if wanted is not None else PROJECT_FOLDERS:
        if any(_compose_file(entry) for entry in _folders(root / folder)):
            return folder
    where = wanted or ", ".join(f"{name}/" for name in PROJECT_FOLDERS)
    raise UsageError("there are no compose projects", f"no folder with a compose file in {where}", "--projects FOLDER names it")


def _folders(at: Path) -> list[Path]:
    return sorted(entry for entry in at.iterdir() if entry.is_dir() and not entry.is_symlink()) if at.is_dir() else []


def _compose_file(folder: Path) -> str:
    return next((name for name in COMPOSE_FILES if (folder / name).is_file()), "")


def _projects(root: Path, folder: str) -> Iterator[FoundFolder]:
    for entry in _folders(root / folder):
        if compose := _compose_file(entry):
            name = project_name(entry.name, text(entry / compose) or "")
            sidecars = sorted(p.name for p in entry.iterdir() if p.is_file() and p.name.endswith(SIDECAR) and p.name != SIDECAR)
            yield FoundFolder(name, f"{folder}/{entry.name}", compose, tuple(sidecars))


def _recipients(root: Path, projects: tuple[FoundFolder, ...]) -> Iterator[str]:
    for project in projects:
        for name in project.sidecars:
            yield from _RECIPIENT.findall(text(root / project.source / name) or "")


def _guests(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "tofu").glob("*.tf")):
        for match in _GUEST.finditer(text(path) or ""):
            number = _VMID.search(match[2])
            yield match[1], number[1] if number else ""


def _pipelines(root: Path) -> Iterator[str]:
    at = root / ".github/workflows"
    for path in sorted((*at.glob("*.yml"), *at.glob("*.yaml"))):
        content = text(path) or ""
        if _DEPLOYS.search(content) and "cockpit deploy" not in content:
            yield str(path.relative_to(root))
