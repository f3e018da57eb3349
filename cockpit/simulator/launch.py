"""The parent's side of the demo: a private folder, the simulator's process on a pipe, and an environment that leads there."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cockpit.domain.errors import CockpitError, Defect, UsageError

READY = 60.0
"""Seconds until the simulator has to be up."""
LEAVE = 5.0
_ELSEWHERE = (
    "SSH_AUTH_SOCK",
    "GITHUB_ACTIONS",
    "SOPS_AGE_KEY",
    "SOPS_AGE_KEY_FILE",
    "SOPS_AGE_KEY_CMD",
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
)
"""What would lead to the person's own keys."""


@contextlib.contextmanager
def demo(keep: str | None = None, pace: float = 1.0) -> Iterator[Path]:
    """A simulated homelab for as long as the context is open; the path of its cockpit.yaml. `keep` names a folder that stays."""
    folder = _folder(keep)
    process: subprocess.Popen[bytes] | None = None
    try:
        argv = [sys.executable, "-m", "cockpit.simulator", str(folder), "--pace", str(pace), *(["--keep"] if keep else [])]
        # a session of its own: what a terminal sends to us at its end does not reach it; the end of our pipe does
        with (folder / "simulator.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - ourselves
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        yield _repository(process, folder) / "cockpit.yaml"
    finally:
        if process is not None:
            _end(process)
        clear(folder, keep=keep is not None)


def clear(folder: Path, *, keep: bool) -> None:
    """The sockets in any case; the folder unless it is kept."""
    if (link := folder / "t").is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which nothing of the person's own is read or written."""
    home = folder / "home"
    kept = {name: value for name, value in environ.items() if name not in _ELSEWHERE and not name.startswith("GIT_")}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "TMPDIR": str((folder / "t").resolve()),  # short: sockets are made there
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def _folder(keep: str | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="cockpit-demo-"))
    folder = Path(keep).absolute()
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", "the demo makes a new homelab there", "give --keep a new folder")
    except OSError as error:
        raise UsageError(f"{folder} cannot be used", error.strerror or "", "give --keep a new folder") from None
    return folder


def _repository(process: subprocess.Popen[bytes], folder: Path) -> Path:
    """Waits until the simulator is up."""
    import select

    assert process.stdout is not None  # noqa: S101 - it was asked for
    ready, _, _ = select.select([process.stdout], [], [], READY)
    line = process.stdout.readline() if ready else b""
    try:
        answer = json.loads(line)
    except ValueError:
        log = (folder / "simulator.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise Defect("the simulator did not start", log[-1] if log else f"nothing within {READY:.0f}s") from None
    if "error" in answer:
        raise CockpitError(*answer["error"])
    return Path(answer["repository"])


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
