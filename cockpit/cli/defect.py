"""The report of a mistake in cockpit: where it happened, and nothing of what it was working on."""

from __future__ import annotations

import contextlib
import os
import platform
import time
import traceback
from pathlib import Path

TELLING = (AttributeError, ImportError, NameError, NotImplementedError, TypeError, AssertionError)
"""Errors whose message names code, never data."""


def state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "cockpit"


def report(error: BaseException, version: str) -> Path | None:
    """Writes the report (mode 0600), returns its path: frames without locals, messages only where they cannot hold data."""
    with contextlib.suppress(OSError):
        folder = state_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(f"cockpit {version}, Python {platform.python_version()}, {platform.platform()}\n\n")
            stream.write("\n".join(_lines(error)) + "\n")
        return path
    return None


def _lines(error: BaseException | None, depth: int = 0) -> list[str]:
    if error is None or depth > 5:
        return []
    found = _lines(error.__cause__ or (None if error.__suppress_context__ else error.__context__), depth + 1)
    found += [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    found.append(f"{type(error).__module__}.{type(error).__qualname__}" + (f": {error}" if isinstance(error, TELLING) else ""))
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            found += ["", *_lines(inner, depth + 1)]
    return found
