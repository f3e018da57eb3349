"""Deploy of a change to one service, against the plain pipeline: one ssh heredoc with git pull, nix build, switch, compose up.

`python -m bench one_service --config cockpit.yaml --host homelab --project core --file compose/core/conf/dynamic.txt \\
   -- -i KEY root@ADDRESS`

Each measurement commits a new line in FILE (a file of the project that a service mounts), in a clone of the repository; the
repository itself is not touched. The plain pipeline pulls from a bare repository on the host, to which the commit was pushed
before the clock started, as it would have been to the forge. Its user must be root, as such pipelines are. The host ends with
commits that exist only in the clone: use a host that is made for it (the lab's).
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import subprocess
import sys
from pathlib import Path

from bench.pairs import Side, compare, timed, verdict
from bench.same_commit import SSH

BUDGET = 2.0
"""Seconds of cockpit's own, beyond what the plain pipeline does and the stability window."""
PLACE = "/var/tmp/cockpit-bench"
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"))
}

PLAIN = """\
set -e
cd {place}/work
git pull -q --ff-only
system=$(nix --extra-experimental-features 'nix-command flakes' build --no-link --print-out-paths \\
  "git+file://{place}/work?dir={folder}#nixosConfigurations.{attribute}.config.system.build.toplevel")
nix-env -p /nix/var/nix/profiles/system --set "$system"
"$system/bin/switch-to-configuration" switch
cd {directory}
docker compose -p {project} up -d --remove-orphans
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="cockpit.yaml at the top of a clean checkout of what runs")
    parser.add_argument("--host", required=True, help="a host of it")
    parser.add_argument("--flake", help="FOLDER#ATTRIBUTE of the host (default: nix#HOST)")
    parser.add_argument("--project", required=True, help="the compose project that FILE belongs to")
    parser.add_argument("--directory", help="the project's directory on the host")
    parser.add_argument("--file", required=True, help="a text file of the project, where a line more is harmless")
    parser.add_argument("--stable", type=float, required=True, help="the host's `timing: stable`, in seconds")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("ssh", nargs="+", help="after --: arguments of ssh, as far as the destination (root)")


class Workshop:
    """A clone in which changes are committed, and its way to the host."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options = options
        self.top = scratch / "repository"
        self.ssh = [*SSH, *options.ssh]
        self.count = itertools.count(1)
        subprocess.run(["git", "clone", "-q", str(options.config.resolve().parent), str(self.top)], check=True)
        self.branch = self.git("rev-parse", "--abbrev-ref", "HEAD")
        self.remote(f"rm -rf {PLACE} && mkdir -p {PLACE} && git init -q --bare -b {self.branch} {PLACE}/origin.git")
        self.push()
        self.remote(f"git clone -q {PLACE}/origin.git {PLACE}/work")

    def git(self, *arguments: str) -> str:
        env = os.environ | AUTHOR | {"GIT_SSH_COMMAND": shlex.join(self.ssh[:-1])}
        done = subprocess.run(["git", "-C", str(self.top), *arguments], check=True, capture_output=True, text=True, env=env)
        return done.stdout.strip()

    def remote(self, script: str) -> float:
        return timed([*self.ssh, "sh", "-s"], stdin=script)

    def push(self) -> None:
        self.git("push", "-q", f"ssh://{self.ssh[-1]}{PLACE}/origin.git", f"HEAD:{self.branch}")

    def change(self) -> None:
        with (self.top / self.options.file).open("a") as file:
            file.write(f"# bench {next(self.count)}\n")
        self.git("commit", "-q", "-a", "-m", "bench: one line more")

    def cockpit(self) -> float:
        self.change()
        command = [sys.executable, "-m", "cockpit", "deploy", "--headless", "--yes", "--host", self.options.host]
        return timed([*command, "--approve-host", self.options.host], cwd=self.top)

    def plain(self) -> float:
        self.change()
        self.push()
        folder, _, attribute = (self.options.flake or f"nix#{self.options.host}").partition("#")
        return self.remote(
            PLAIN.format(
                place=PLACE,
                folder=folder,
                attribute=attribute or self.options.host,
                directory=shlex.quote(self.options.directory or f"/var/lib/cockpit/projects/{self.options.project}"),
                project=shlex.quote(self.options.project),
            )
        )


def main(options: argparse.Namespace, scratch: Path) -> bool:
    shop = Workshop(options, scratch)
    try:
        found = compare(Side("cockpit deploy", shop.cockpit), Side("plain pipeline", shop.plain), pairs=options.pairs)
    finally:
        shop.remote(f"rm -rf {PLACE}")
    own: float = found.difference - options.stable
    print("\n".join(found.lines()))
    print(
        f"  ratio {found.ratio:.2f}; difference {found.difference:.2f} s, of which {options.stable:g} s are the stability window"
    )
    print(verdict(own, BUDGET, "s"))
    return own <= BUDGET
