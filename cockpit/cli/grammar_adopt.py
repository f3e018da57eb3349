"""The grammar of `adopt` and `bootstrap`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Commands = Any
"""argparse._SubParsersAction, which is not to be named at run time."""


def add(commands: Commands, command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command` makes a command with the options that all of them have."""
    bootstrap = command(commands, "bootstrap", "First contact: a NixOS host becomes one that cockpit deploys.", hosts=False)
    bootstrap.add_argument("host", metavar="HOST", help="a host of cockpit.yaml that has no cockpit yet")
    bootstrap.add_argument("--user", default="root", metavar="NAME", help="who signs in: root, or one with passwordless sudo")
    bootstrap.add_argument("--commit", metavar="REV", help="what to bring there (default: HEAD, with nothing modified)")
    bootstrap.add_argument("--build-here", action="store_true", help="build on this machine, also where the host could")
    bootstrap.add_argument(
        "--take-over",
        action="store_true",
        help="also where containers of projects that run there already would be recreated, or come from another folder",
    )
    bootstrap.add_argument(
        "--take",
        nargs=2,
        action="append",
        default=[],
        metavar=("host|git", "PATH"),
        help="whose content wins where a file on the host is not as git has it; PATH on the host, or `all`",
    )
    bootstrap.add_argument("--from-test", action="store_true", help="also over a system that is not the profile's")
    bootstrap.add_argument(
        "--yes", action="store_true", help="apply the plan; without it a plan that changes something is refused"
    )
    bootstrap.add_argument(
        "--approve-host", action="append", default=[], metavar="HOST", help="a protected host that may be changed"
    )
    bootstrap.add_argument("--dry-run", action="store_true", help="end with the plan (exit 10 when there is something to do)")

    adopt = command(commands, "adopt", "Make an existing repository one that cockpit deploys; moves nothing.", hosts=False)
    adopt.add_argument("dir", nargs="?", metavar="DIR", help="the repository (default: here)")
    adopt.add_argument("--host", metavar="NAME", help="which of the flake's hosts (default: the only one)")
    adopt.add_argument("--address", metavar="ADDRESS", help="where it is reached, optionally :port")
    adopt.add_argument("--host-key", metavar="'TYPE BASE64'", help="its pinned key, as ssh-keyscan prints it")
    adopt.add_argument("--deploy-user", default="cockpit", metavar="NAME", help="who deploys (default: cockpit)")
    adopt.add_argument(
        "--deploy-key", action="append", default=[], metavar="KEY|FILE", help="who may deploy (default: the keys that root has)"
    )
    adopt.add_argument("--identity", metavar="FILE", help="the file on the host that decrypts its secrets")
    adopt.add_argument("--flake", metavar="FOLDER", help="of flake.nix or configuration.nix (default: nixos, nix, or the top)")
    adopt.add_argument("--projects", metavar="FOLDER", help="whose folders are compose projects (default: containers, compose)")
    adopt.add_argument(
        "--directory-root",
        default="/opt/containers",
        metavar="PATH",
        help="where the projects lie on the host (default: /opt/containers)",
    )
    adopt.add_argument("--inventory", action="store_true", help="look at the host, too: projects, folders, strangers; reads only")
    adopt.add_argument(
        "--as", dest="sign_in", default="root", metavar="NAME", help="who looks: root, or one with passwordless sudo"
    )
    adopt.add_argument("--yes", action="store_true", help="write; without it what would be written is shown (exit 10)")
