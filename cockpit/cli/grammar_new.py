"""The grammar of `cockpit init` and `cockpit secrets`: how a homelab is begun."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], epilog: str) -> None:
    init = _parser(
        commands, "init", "Make a new homelab from the reference tree; asks at a terminal for what no option says.", epilog
    )
    init.add_argument("directory", metavar="DIR", help="where: a folder that does not exist, or an empty one")
    init.add_argument("--host", "--name", dest="host", metavar="NAME", help="name of the first host (default: homelab)")
    init.add_argument("--address", metavar="ADDRESS", help="its name or address in the tailnet (default: its name)")
    init.add_argument("--domain", metavar="DOMAIN", help="zone at Cloudflare, or a name below it: services become NAME.DOMAIN")
    init.add_argument("--email", metavar="ADDRESS", help="for Let's Encrypt, and the tailnet's operator")
    init.add_argument("--timezone", metavar="ZONE", help="default: this machine's")
    init.add_argument("--tailnet-ip", metavar="IP", help="the host's address in the tailnet, once it has one")
    init.add_argument(
        "--ssh-key", action="append", default=[], metavar="FILE", help="public key that may log in and deploy; may be repeated"
    )
    init.add_argument(
        "--deploy-key", action="append", default=[], metavar="FILE", help="public key that may deploy only: that of the CI"
    )
    init.add_argument(
        "--author", metavar="'NAME <ADDRESS>'", help="of the first commit, where git has no user.name and user.email"
    )
    proxmox = init.add_argument_group("the machine, on Proxmox VE")
    proxmox.add_argument(
        "--proxmox", metavar="URL", help="e.g. https://pve.example.org:8006; without it the machine is your own affair"
    )
    proxmox.add_argument("--node", metavar="NAME", help="the node that the machine is made on")
    proxmox.add_argument("--storage", metavar="NAME", help="of its disks (default: local-lvm)")
    proxmox.add_argument("--bridge", metavar="NAME", help="of its network (default: vmbr0)")
    proxmox.add_argument("--template", metavar="NAME", help="that is cloned (default: homelab-template)")
    proxmox.add_argument("--vmid", metavar="N", help="default: 101")
    proxmox.add_argument(
        "--proxmox-user", metavar="USER@REALM!TOKENID", help="cockpit's own API token (default: cockpit@pve!cockpit)"
    )
    proxmox.add_argument(
        "--proxmox-fingerprint", metavar="AB:CD:...", help="SHA-256 of its certificate, where no known authority signed it"
    )
    _keys(init)
    init.add_argument(
        "--host-key",
        action="append",
        default=[],
        metavar="KEY",
        help="public ssh host key of a host that exists; else one is made for it",
    )

    secrets = commands.add_parser("secrets", help="Start over with secrets and keys of your own.", allow_abbrev=False)
    what = secrets.add_subparsers(dest="what", metavar="WHAT", required=True)
    new = _parser(what, "new", "Write every secret of secrets/template.yaml anew, for new readers: all of them, or none.", epilog)
    _keys(new)
    new.add_argument(
        "--host-key",
        action="append",
        default=[],
        metavar="HOST=KEY",
        help="public ssh host key of a host that exists; else one is made for it",
    )
    new.add_argument("--force", action="store_true", help="also where that loses values which are not the examples'")
    new.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="cockpit.yaml")


def _parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, epilog: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: the defaults, where no option says otherwise")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser


def _keys(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_argument_group("who reads the secrets, and what is in them")
    keys.add_argument(
        "--operator-key",
        action="append",
        default=[],
        metavar="age1...",
        help="may be repeated (default: this machine's; one is made where there is none)",
    )
    keys.add_argument(
        "--recovery-key",
        metavar="age1...|@FILE",
        help="kept offline; @FILE is its private half, to be tried (default: one is made, and shown once)",
    )
    keys.add_argument(
        "--i-stored-the-recovery-key", action="store_true", help="without a terminal: that what is printed will be kept offline"
    )
    keys.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=@FILE|NAME=-",
        help="a secret that is asked for, from a file or standard input; may be repeated",
    )
    keys.add_argument(
        "--show-passwords",
        action="store_true",
        help="with --output json: also the passwords that were made, and the recovery key",
    )
