"""What an examination of a homelab finds: one finding, how much it matters, and the command that mends it."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Level(Enum):
    """Worst last."""

    OK = "ok"
    SKIPPED = "skipped"
    """Not looked at, and why."""
    NOTE = "note"
    """Good to know; nothing has to be done."""
    WARN = "warn"
    """Works today, and will hurt."""
    FAIL = "fail"
    """Does not work, or a secret is open to others."""


class Group(Enum):
    MACHINE = "This machine"
    REPOSITORY = "Repository"
    SECRETS = "Secrets"
    COMPOSE = "Compose"
    NIX = "Nix"
    TOFU = "OpenTofu"
    WORKFLOWS = "Workflows"
    HOSTS = "Hosts"
    ENGINE = "Container engine"
    MESH = "Mesh"
    CERTIFICATES = "Certificates"


class Finding(Struct, frozen=True):
    """Names things, never values: a finding is printed, logged and annotated."""

    level: Level
    what: str
    why: str = ""
    """The cause, or what comes of it."""
    fix: str = ""
    """An exact command, or the one line to change."""
    file: str = ""
    """Relative to the repository's top."""
    line: int = 0
    host: str = ""
    check: str = ""
    """Id of the check that found it."""

    @property
    def where(self) -> str:
        """`FILE:LINE`, `FILE`, the host, or nothing."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or self.host


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def note(what: str, why: str = "", fix: str = "", file: str = "", line: int = 0) -> Finding:
    return Finding(Level.NOTE, what, why, fix, file, line)


def warn(what: str, why: str = "", fix: str = "", file: str = "", line: int = 0) -> Finding:
    return Finding(Level.WARN, what, why, fix, file, line)


def fail(what: str, why: str = "", fix: str = "", file: str = "", line: int = 0) -> Finding:
    return Finding(Level.FAIL, what, why, fix, file, line)


def skipped(what: str, why: str = "", fix: str = "") -> Finding:
    return Finding(Level.SKIPPED, what, why, fix)
