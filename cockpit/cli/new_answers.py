"""The answers of a new homelab, from options or from a terminal."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cockpit.actions.new import answers
from cockpit.actions.new.answers import Answers, Proxmox
from cockpit.cli.ask import Asker
from cockpit.cli.new_keys import file
from cockpit.domain.errors import UsageError

PUBLIC_KEYS = ("id_ed25519.pub", "id_ed25519_sk.pub", "id_ecdsa.pub", "id_rsa.pub")
_PROXMOX = ("node", "storage", "bridge", "template", "vmid", "proxmox_user", "proxmox_fingerprint")


def gather(args: argparse.Namespace, author: tuple[str, str] | None, ask: Asker | None) -> Answers:
    """UsageError names everything that is missing, or the first thing that cannot be used."""
    form = _Form(args, ask)
    host = form.take("host", "Name of the host", answers.host_name, "homelab")
    address = form.take("address", "Its name or address in the tailnet", answers.address, host)
    domain = form.take("domain", "Domain; services become NAME.DOMAIN", answers.domain)
    email = form.take("email", "Your address for mail (Let's Encrypt, the tailnet)", answers.email)
    timezone = form.take("timezone", "Time zone", answers.timezone, _timezone())
    ip = form.take("tailnet_ip", "Address of the host in the tailnet", answers.tailnet_ip, optional="enter: it has none yet")
    admin = form.keys()
    deploy = tuple(dict.fromkeys((*admin, *(public_key(path) for path in args.deploy_key))))
    proxmox = _proxmox(args, form)
    if args.author:
        author = answers.author(args.author)
    elif author is None and ask is not None:
        author = answers.author(ask.text("Your name and address for git, as NAME <ADDRESS>", answers.author))
    elif author is None:
        form.missing.append("--author 'NAME <ADDRESS>' (git has no user.name and user.email)")
    form.whole()
    own = author if args.author or ask is not None else None
    return Answers(host, address, domain, email, timezone, admin, deploy, ip, proxmox, own)


class _Form:
    def __init__(self, args: argparse.Namespace, ask: Asker | None) -> None:
        self._args = args
        self.ask = ask
        self.missing: list[str] = []

    def take(self, name: str, what: str, check: Callable[[str], str], default: str = "", *, optional: str = "") -> str:
        """Of an option, of a person, the default; empty where it is missing."""
        value = getattr(self._args, name)
        if value is not None:
            return check(value.strip())
        if self.ask is not None:
            answer = self.ask.text(what, check, default, optional=optional)
            return check(answer) if answer else ""
        if default:
            return check(default)
        if not optional:
            self.missing.append(f"--{name.replace('_', '-')}")
        return ""

    def keys(self) -> tuple[str, ...]:
        """Public ssh keys of people."""
        paths: Sequence[str] = self._args.ssh_key
        if not paths:
            found = next((path for name in PUBLIC_KEYS if (path := Path.home() / ".ssh" / name).is_file()), None)
            if self.ask is not None:
                paths = [self.ask.text("File of your public ssh key", public_key, str(found or ""))]
            elif found is not None:
                paths = [str(found)]
            else:
                self.missing.append("--ssh-key FILE (there is none in ~/.ssh)")
        return tuple(dict.fromkeys(map(public_key, paths)))

    def whole(self) -> None:
        if self.missing:
            raise UsageError(
                f"not everything is known: {', '.join(self.missing)}",
                "nothing was made",
                "give these options, or run it at a terminal",
            )


def _proxmox(args: argparse.Namespace, form: _Form) -> Proxmox | None:
    url = form.take(
        "proxmox", "Address of Proxmox, e.g. https://pve.example.org:8006", answers.proxmox_url, optional="enter: no Proxmox"
    )
    if not url:
        if given := [name for name in _PROXMOX if getattr(args, name) is not None]:
            raise UsageError(f"--{given[0].replace('_', '-')} is of no use without --proxmox URL")
        return None
    made = Proxmox(url, form.take("node", "Node that the machine is made on", answers.proxmox_name))
    return Proxmox(
        url,
        made.node,
        form.take("storage", "Storage of its disks", answers.proxmox_name, made.storage),
        form.take("bridge", "Bridge of its network", answers.proxmox_name, made.bridge),
        form.take("template", "Template that is cloned", answers.proxmox_name, made.template),
        int(form.take("vmid", "Its VMID", answers.vmid, str(made.vmid))),
        form.take("proxmox_user", "API token of cockpit", answers.proxmox_user, made.user),
        form.take(
            "proxmox_fingerprint",
            "SHA-256 fingerprint of its certificate",
            answers.fingerprint,
            optional="enter: an authority that this machine knows signed it",
        ),
    )


def public_key(path: str) -> str:
    """The public ssh key in a file. UsageError."""
    text = file(path).reveal().decode("utf-8", "replace").strip()
    if "PRIVATE KEY" not in text and "\n" in text:
        raise UsageError(f"{path} has several lines", "one public key a file", "give each as a file of its own")
    return answers.ssh_key(text)


def _timezone() -> str:
    """This machine's; UTC where it does not say."""
    for name in (os.environ.get("TZ", "").removeprefix(":"), os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]):
        with contextlib.suppress(UsageError):
            return answers.timezone(name)
    return "UTC"
