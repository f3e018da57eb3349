"""What runs on a host that cockpit does not deploy yet, as it was read there."""

from __future__ import annotations

from msgspec import Struct


class FoundService(Struct, frozen=True):
    name: str
    image: str
    state: str


class FoundProject(Struct, frozen=True):
    """A compose project by the labels of its containers."""

    name: str
    directory: str
    """`com.docker.compose.project.working_dir`"""
    files: tuple[str, ...] = ()
    services: tuple[FoundService, ...] = ()


class Inventory(Struct, frozen=True):
    """One reading, by commands that change nothing."""

    hostname: str = ""
    nixos: str = ""
    """Version; empty where it is no NixOS."""
    generation: int | None = None
    cockpit: bool = False
    engine: bool = False
    projects: tuple[FoundProject, ...] = ()
    alone: tuple[FoundService, ...] = ()
    """Containers of no compose project."""
    units: tuple[str, ...] = ()
    """Units that deploy by themselves or touch containers: they would work against cockpit."""
    identities: tuple[str, ...] = ()
    """Files that hold a key for decrypting, of the usual places."""
    left_out: int = 0
    """Containers that were too many to be told."""
