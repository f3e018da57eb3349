"""Where a person's files are (XDG base directories). The environment is read at each call, never at import."""

from __future__ import annotations

import os
from pathlib import Path


def _base(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # the specification: relative paths are to be ignored
    return Path(value) if value.startswith("/") else Path.home() / default


def config_folder() -> Path:
    return _base("XDG_CONFIG_HOME", ".config") / "cockpit"


def state_folder() -> Path:
    return _base("XDG_STATE_HOME", ".local/state") / "cockpit"


def user_file() -> Path:
    return config_folder() / "config.yaml"


def audit_file() -> Path:
    return state_folder() / "audit.jsonl"
