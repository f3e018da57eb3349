"""Edits of the reference homelab's files, text in and text out. Comments stay; what should be there and is not is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cockpit.actions.new.answers import Proxmox
from cockpit.domain.errors import CockpitError, UsageError

CLUSTER = "home"
"""The name that a new homelab's Proxmox cluster gets in cockpit.yaml."""
PROXMOX_SECRET = ("secrets/operator/proxmox.yaml", "token-secret")


def env(text: str, values: Mapping[str, str]) -> str:
    """The .env file with these values for the keys that it has."""
    for key, value in values.items():
        text = put(rf"^{re.escape(key)}=.*$", f"{key}={value}", text)
    return text


def put(pattern: str, value: str, text: str) -> str:
    """The value, as it is, wherever the pattern stands."""
    return re.sub(pattern, lambda _: value, text, flags=re.MULTILINE)


def site(host: str, timezone: str, admin: Sequence[str], deploy: Sequence[str]) -> str:
    """nix/hosts/HOST/site.nix."""

    def keys(name: str, found: Sequence[str]) -> str:
        return f"  {name} = [\n" + "".join(f"    {_nix(key)}\n" for key in found) + "  ];\n"

    return (
        "# Yours: the only Nix file that must be filled in. Public ssh keys only; a host without them does not build.\n"
        f"{{\n  hostName = {_nix(host)};\n  timeZone = {_nix(timezone)};\n"
        "  # you, with a shell and sudo\n" + keys("admin", admin) + "  # cockpit: your machine, and the CI that deploys\n"
        + keys("deploy", deploy) + "}\n"
    )  # fmt: skip


def _nix(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


# ---- cockpit.yaml --------------------------------------------------------------------------------------------------------------


def settings(text: str, old: str, new: str, address: str) -> str:
    """cockpit.yaml with the host renamed, at its address."""
    lines = text.splitlines(keepends=True)
    if lines and lines[0].startswith("# The reference homelab"):
        lines[0] = f"# Hosts, projects, and which secret goes where, of {new}. `cockpit config schema` says what is possible.\n"
    first, _ = _block(lines, old)
    lines[first] = re.sub(rf"^(\s+){re.escape(old)}:", rf"\g<1>{new}:", lines[first])
    return _set("".join(lines), new, "address", json.dumps(address) if ":" in address else address)


def pin_host_key(text: str, host: str, key: str) -> str:
    return _set(text, host, "host_key", key)


def cluster(text: str, host: str, proxmox: Proxmox) -> str:
    """With the Proxmox cluster, and the guest that the host is."""
    text = re.sub(r"^clusters:.*\n(?:(?:[ \t].*)?\n)*", "", text, flags=re.MULTILINE)
    text = _set(text, host, "guest", f"{CLUSTER}/{proxmox.vmid}")
    file, key = PROXMOX_SECRET
    return text.rstrip("\n") + (
        f"\n\nclusters:\n  {CLUSTER}:\n    addresses: [{json.dumps(proxmox.address)}]\n    user: {json.dumps(proxmox.user)}\n"
        f"    secret: {{file: {file}, key: {key}}}\n"
        + (f"    fingerprint: {json.dumps(proxmox.fingerprint)}\n" if proxmox.fingerprint else "")
    )


def _set(text: str, host: str, key: str, value: str) -> str:
    """One plain value of a host: in its line, in place of its commented line, or behind the address."""
    lines = text.splitlines(keepends=True)
    first, last = _block(lines, host)
    own = re.compile(rf"^(\s+){key}:(\s+)(?:\"[^\"]*\"|[^\s#\"'](?:[^#\n]|(?<=\S)#)*?)(\s*(?:#.*)?)$")
    commented = re.compile(rf"^(\s+)#\s*{key}:")
    for number in range(first + 1, last):
        if match := own.match(lines[number].rstrip("\n")):
            lines[number] = f"{match[1]}{key}:{match[2]}{value}{match[3]}\n"
            return "".join(lines)
    for number in range(first + 1, last):
        if match := commented.match(lines[number]):
            lines[number] = f"{match[1]}{key}: {value}\n"
            return "".join(lines)
    for number in range(first + 1, last):
        if match := re.match(r"^(\s+)address:", lines[number]):
            lines.insert(number + 1, f"{match[1]}{key}: {value}\n")
            return "".join(lines)
    raise UsageError(
        f"cockpit.yaml: host {host} has no line `address:`", "it could not be edited", f"write {key}: {value} there by hand"
    )


def _block(lines: Sequence[str], host: str) -> tuple[int, int]:
    """(line of the host's name, line behind its block), both from 0."""
    inside = False
    indent = 0
    first = -1
    for number, line in enumerate(lines):
        body = line.split("#")[0].rstrip()
        if not body:
            continue
        depth = len(body) - len(body.lstrip())
        if first >= 0 and depth <= indent:
            return first, number
        if not depth:
            inside = body == "hosts:"
        elif inside and first < 0 and body.strip() == f"{host}:":
            first, indent = number, depth
    if first < 0:
        raise UsageError(
            f"cockpit.yaml names no host {host}", "its block under hosts: was not found", "a name on a line of its own"
        )
    return first, len(lines)


# ---- the others ----------------------------------------------------------------------------------------------------------------


def tfvars(text: str, old: str, new: str, proxmox: Proxmox | None) -> str:
    """tofu's variables, with the guest renamed and made where it is to be."""
    try:
        tree: dict[str, Any] = json.loads(text)
        hosts: dict[str, Any] = tree["hosts"]
        guest = dict(hosts[old])
    except (ValueError, KeyError, TypeError):
        raise CockpitError("tofu/homelab.auto.tfvars.json cannot be edited", f"it has no hosts: with {old}") from None
    if proxmox is not None:
        tree |= {
            "proxmox_url": f"{proxmox.url}/api2/json", "node": proxmox.node, "storage": proxmox.storage, "bridge": proxmox.bridge,
            "template": proxmox.template,
        }  # fmt: skip
        guest["vmid"] = proxmox.vmid
    tree["hosts"] = {new if name == old else name: guest if name == old else other for name, other in hosts.items()}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def workflow(text: str, version: str) -> str:
    """A workflow that installs this cockpit, where the reference's installs the checkout."""
    text = re.sub(
        r"^( *)# Where cockpit comes from: this checkout\..*$",
        r"\1# Its dependencies are pinned by hash: requirements/",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"^( *COCKPIT): \.$", rf"\1: cockpit-homelab=={version}", text, flags=re.MULTILINE)
    if re.search(r"\bCOCKPIT:(?! cockpit-homelab==)", text):
        raise CockpitError(
            "a workflow of the reference homelab cannot be edited",
            "it installs cockpit in an unknown way",
            "install cockpit again",
        )
    return text


def renamed(text: str, old: str, new: str) -> str:
    """Text in which paths and names of the host are another's."""
    text = re.sub(rf"(?<![\w-])(secrets|hosts)/{re.escape(old)}(?![\w-])", rf"\1/{new}", text)
    return re.sub(rf"(?<![\w-])(nix#|image-){re.escape(old)}(?![\w-])", rf"\g<1>{new}", text)


def template(text: str, old: str, new: str) -> str:
    """secrets/template.yaml with the host's files renamed, and the key of the host that is named after it."""
    text = re.sub(rf"(?<![\w/-]){re.escape(old)}/(?=[\w.-]+\.yaml)", f"{new}/", text)
    return re.sub(rf"^(\s+){re.escape(old)}:(?= *\{{ *ssh-host-key\b)", rf"\g<1>{new}:", text, flags=re.MULTILINE)


def without(text: str, marker: str) -> str:
    """Text without what stands between `<!-- MARKER -->` and `<!-- /MARKER -->`."""
    found, count = re.subn(rf"<!-- {marker} -->.*?<!-- /{marker} -->\n+", "", text, flags=re.DOTALL)
    if not count:
        raise CockpitError(f"the reference homelab has no part marked {marker}", "it could not be left out")
    return found
