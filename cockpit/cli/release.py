"""`cockpit release` and `cockpit plan --read-only`: the file between them."""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

from cockpit.actions.bundle import Cockpit
from cockpit.actions.run import Run
from cockpit.domain.contents import MOST_BYTES, ReleaseFile, decode, encode
from cockpit.domain.errors import UsageError
from cockpit.domain.events import Outcome


def check(args: argparse.Namespace) -> None:
    """Options that mean nothing by themselves. UsageError."""
    for name, option in (("release", "--release"), ("as_user", "--as")):
        if getattr(args, name, None) is not None and not args.read_only:
            raise UsageError(f"{option} without --read-only", "a plan of the host's own needs the deploy user and the commit")
    if args.command == "plan" and args.read_only:
        for given, option in ((args.take, "--take"), (args.resume, "--resume"), (args.allow_rewind, "--allow-rewind"),
                              (args.from_test, "--from-test")):  # fmt: skip
            if given:
                raise UsageError(f"{option} with --read-only", "it is for a plan that could be carried out")


async def make(cockpit: Cockpit, args: argparse.Namespace, names: tuple[str, ...], run: Run) -> Outcome:
    def write(release: ReleaseFile) -> None:
        try:
            Path(args.file).write_bytes(encode(release))
        except OSError as error:
            raise UsageError(f"{args.file} cannot be written", error.strerror or "") from None

    return await cockpit.releases.execute(names, args.commit, run=run, write=write)


async def look(cockpit: Cockpit, args: argparse.Namespace, names: tuple[str, ...], run: Run) -> Outcome:
    release = read(args.release) if args.release is not None else None
    if release is not None and args.commit:
        raise UsageError("--commit with --release", f"the file says what it is of: {release.commit}")
    return await cockpit.read_only.execute(names, args.commit, release, run=run)


def read(file: str) -> ReleaseFile:
    """Somebody else's file: a regular one, of a size that we wait for. UsageError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{file} is no file")
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read", error.strerror or "", "cockpit release writes one") from None
    return decode(data)
