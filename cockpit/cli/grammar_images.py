"""The grammar of `cockpit image`."""

from __future__ import annotations

import argparse
from typing import Protocol

_TOFU = "(default: as tofu/homelab.auto.tfvars.json says)"


class Command(Protocol):
    """Makes a command with the options that every command has."""

    def __call__(
        self, commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, *, hosts: bool = True
    ) -> argparse.ArgumentParser: ...


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], command: Command) -> None:
    image = commands.add_parser(
        "image", help="The image of a host, and the Proxmox template that it becomes.", allow_abbrev=False
    )
    what = image.add_subparsers(dest="what", metavar="WHAT", title="what", required=True)

    build = command(what, "build", "Build the image of a host, by `nix build` on this machine.", hosts=False)
    _host(build)

    upload = command(what, "upload", "Make a template of a cluster from the image: what tofu clones.", hosts=False)
    _host(upload)
    upload.add_argument("--image", metavar="FILE", default="", help="a qcow2 that was built elsewhere; else it is built first")
    upload.add_argument("--cluster", metavar="CLUSTER", help="of cockpit.yaml (default: the only one)")
    upload.add_argument("--node", metavar="NODE", default="", help=f"the node that the template is made on {_TOFU}")
    upload.add_argument("--storage", metavar="STORAGE", default="", help=f"for the template's disks {_TOFU}")
    upload.add_argument(
        "--vmid", type=int, metavar="ID", default=0, help="the template's number (default: a free one from 9000 on)"
    )
    upload.add_argument("--name", metavar="NAME", default="", help=f"the template's name {_TOFU}")
    upload.add_argument("--bridge", metavar="BRIDGE", default="", help=f"of its network card {_TOFU}")
    upload.add_argument("--inbox", metavar="STORAGE", default="local", help="where the image is sent to (default: local)")
    upload.add_argument("--replace", action="store_true", help="delete the template that has this number, if cockpit made it")
    upload.add_argument("--yes", action="store_true", help="do it; without it the plan is shown, and refused")
    upload.add_argument("--approve-host", action="append", default=[], metavar="CLUSTER", help="a protected cluster")


def _host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", nargs="?", metavar="HOST", help="of cockpit.yaml (default: the only one)")
    parser.add_argument("--commit", metavar="REV", help="what to build (default: HEAD)")
