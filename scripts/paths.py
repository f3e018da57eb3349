"""Where things are in this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build"


def tracked() -> list[Path]:
    """The files that git has, and those that it would add, in the work tree."""
    listing = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in sorted(set(listing.split("\0"))) if name and (path := TOP / name).is_file()]


def shell_files() -> list[Path]:
    """Every tracked shell program: by ending, or by its first line."""
    out = []
    for path in tracked():
        if path.suffix == ".sh" or (not path.suffix and path.read_bytes()[:64].splitlines()[:1] in _SHEBANGS):
            out.append(path)
    return out


_SHEBANGS = ([b"#!/usr/bin/env bash"], [b"#!/bin/bash"], [b"#!/bin/sh"])
