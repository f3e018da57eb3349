"""JSON and YAML of others: a table is taken for one only where it is one."""

from __future__ import annotations

import json
from typing import Any


def table(value: object) -> dict[str, Any]:
    """Empty for everything else."""
    return value if isinstance(value, dict) else {}


def table_in(text: str | bytes | None) -> dict[str, Any]:
    """The object that a JSON text is; empty for everything else."""
    try:
        return table(json.loads(text or "{}"))
    except (ValueError, RecursionError):
        return {}
