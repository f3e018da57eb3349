"""exec to first paint of cockpit on a given cockpit.yaml, against a minimal Textual app. Budget: 1.4 x."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from bench import minimal_app
from bench.pairs import Side, compare, verdict
from bench.terminal import Size, first_paint

BUDGET = 1.4
SAMPLE = """\
version: 1
hosts:
  homelab:
    address: 127.0.0.1:1
    host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
"""
"""A homelab with one host that nobody answers for: what is painted first must not wait for it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="cockpit.yaml (default: one host that cannot be reached)")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--size", default="160x50", help="COLUMNSxROWS")


def sample(folder: Path, text: str = SAMPLE) -> Path:
    """Makes a homelab, a git repository with one commit, in a folder; returns its cockpit.yaml."""
    config = folder / "cockpit.yaml"
    config.write_text(text)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "sample")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return config


def main(options: argparse.Namespace, scratch: Path) -> bool:
    columns, rows = map(int, options.size.split("x"))
    size = Size(columns, rows)
    config = options.config.resolve() if options.config else sample(scratch)
    ours = [sys.executable, "-m", "cockpit", "--config", str(config)]
    theirs = [sys.executable, "-m", "bench.minimal_app"]
    folder = Path(minimal_app.__file__).resolve().parents[1]
    found = compare(
        Side("cockpit", lambda: first_paint(ours, cwd=config.parent, size=size)),
        Side("minimal Textual app", lambda: first_paint(theirs, cwd=folder, size=size)),
        pairs=options.pairs,
    )
    print("\n".join(found.lines()))
    print(verdict(found.ratio, BUDGET))
    return found.ratio <= BUDGET
