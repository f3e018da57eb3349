"""What a new homelab has to be told, each with its check. Flags and questions go through the same ones."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from cockpit.domain.errors import UsageError
from cockpit.domain.keys import SSH_PUBLIC
from cockpit.domain.secret_template import OPERATOR

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TAKEN = (OPERATOR, "localhost", "recovery", "true", "false", "yes", "no", "on", "off", "null")
"""Folders and readers of that name, and words that YAML takes for something else."""


class Proxmox(Struct, frozen=True):
    """The node that the host's guest is made on, and the account by which cockpit sees the cluster."""

    url: str
    """https://NODE:8006"""
    node: str
    storage: str = "local-lvm"
    bridge: str = "vmbr0"
    template: str = "homelab-template"
    vmid: int = 101
    user: str = "cockpit@pve!cockpit"
    fingerprint: str = ""
    """SHA-256 of its certificate; empty where the system's authorities know it."""

    @property
    def address(self) -> str:
        """`HOST[:PORT]`, the port only where it is not the usual one."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return host if parts.port in (None, 8006) else f"{host}:{parts.port}"


class Answers(Struct, frozen=True):
    host: str
    address: str
    domain: str
    email: str
    timezone: str
    admin: tuple[str, ...]
    """Public ssh keys: a shell on the host, and sudo."""
    deploy: tuple[str, ...]
    """Public ssh keys: cockpit, here and in CI."""
    tailnet_ip: str = ""
    """Empty until the host has joined the tailnet."""
    proxmox: Proxmox | None = None
    author: tuple[str, str] | None = None
    """(name, address) of the first commit, where the person's git has none."""


def host_name(text: str) -> str:
    expected = "a letter, then lower-case letters, digits and -, at most 63"
    return _matches("host name", text, _LABEL, expected, lambda t: t[0].isalpha() and t not in _TAKEN)


def address(text: str) -> str:
    if _ip(text) is not None:
        return text
    return _matches("address", text, rf"(?:{_LABEL}\.)*{_LABEL}(?::\d{{1,5}})?", "a name in the tailnet, or an IP address")


def domain(text: str) -> str:
    return _matches("domain", text, rf"(?:{_LABEL}\.)+[a-z][a-z0-9-]*[a-z0-9]", "a name with a dot, e.g. home.example.org")


def email(text: str) -> str:
    return _matches("address for mail", text, r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}", "e.g. you@example.org")


def timezone(text: str) -> str:
    import zoneinfo

    known = zoneinfo.available_timezones()
    return _matches(
        "time zone",
        text,
        r"[A-Za-z][A-Za-z0-9_+/-]*",
        "a name of the tz database, e.g. Europe/Berlin",
        lambda t: not known or t in known,
    )


def tailnet_ip(text: str) -> str:
    """Any that the internet does not reach: Tailscale's are of 100.64.0.0/10, other meshes have others."""
    found = _ip(text)
    if found is None or found.is_global or found.is_loopback or found.is_unspecified or found.is_multicast or found.is_link_local:
        raise _wrong("address in the tailnet", text, "one that only the tailnet reaches: tailscale ip -4")
    return text


def ssh_key(text: str) -> str:
    line = text.strip()
    if "PRIVATE KEY" in line:
        raise UsageError("that is a private ssh key", "it must not leave your machine", "give the file that ends in .pub")
    if not SSH_PUBLIC.match(line):
        raise UsageError("that is no public ssh key", "one line such as ssh-ed25519 AAAA... you@laptop", "ssh-keygen -t ed25519")
    return line


def host_key(text: str) -> str:
    """The key without a comment, of a line of a .pub file or of ssh-keyscan."""
    words = text.strip().split()
    if len(words) > 2 and words[1].startswith(("ssh-", "ecdsa-")):
        words = words[1:]  # ssh-keyscan puts the host's name first
    line = " ".join(words[:2])
    found = SSH_PUBLIC.match(line)
    if not found or found["type"] != "ssh-ed25519":
        raise UsageError(
            "that is no ssh host key of type ed25519",
            "secrets are encrypted for it, as age does it",
            "ssh-keyscan -t ed25519 HOST",
        )
    return found["key"]


def proxmox_url(text: str) -> str:
    url = text.strip().rstrip("/").removesuffix("/api2/json")
    parts = urlsplit(url)
    try:
        whole = (
            parts.scheme == "https" and bool(parts.hostname) and (parts.port or 8006) > 0 and not parts.path and "@" not in url
        )
    except ValueError:
        whole = False
    if not whole or not re.fullmatch(r"https://[A-Za-z0-9.:\[\]-]+", url):
        raise _wrong("address of Proxmox", text, "e.g. https://pve.example.org:8006")
    return url if parts.port else f"{url}:8006"


def proxmox_name(text: str) -> str:
    """Of a node, a storage, a bridge or a template."""
    return _matches("name", text, r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, . _ and -")


def proxmox_user(text: str) -> str:
    return _matches("API token", text, r"[^\s:/@!]+@[A-Za-z0-9_.-]+![A-Za-z0-9_.-]+", "USER@REALM!TOKENID")


def fingerprint(text: str) -> str:
    return _matches(
        "fingerprint", text, r"(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}", "SHA-256, as Proxmox shows it: AB:CD:..."
    ).upper()


def vmid(text: str) -> str:
    return _matches("VMID", text, r"[1-9]\d{2,8}", "a number, 100 or more")


def author(text: str) -> tuple[str, str]:
    found = re.fullmatch(
        r"\s*([^<>\x00-\x1f\x7f]*[^<>\s\x00-\x1f\x7f])\s*<([^<>\s\x00-\x1f\x7f]+@[^<>\s\x00-\x1f\x7f]+)>\s*", text
    )
    if found is None:
        raise _wrong("author", text, "'Name <address>'")
    return found[1], found[2]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(what: str, text: str, pattern: str, expected: str, also: Callable[[str], bool] = lambda _: True) -> str:
    if not re.fullmatch(pattern, text) or not also(text):
        raise _wrong(what, text, expected)
    return text


def _wrong(what: str, text: str, expected: str) -> UsageError:
    return UsageError(f"{text!r} is no {what}" if text else f"there is no {what}", f"expected {expected}")
