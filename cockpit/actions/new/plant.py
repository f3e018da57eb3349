"""The files of a new homelab: the reference tree, with what is its owner's in the place of the examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cockpit.actions.new import edits
from cockpit.actions.new.answers import Answers
from cockpit.actions.new.readme import IGNORED, Step, readme, steps
from cockpit.domain.errors import CockpitError
from cockpit.domain.files import NewFile
from cockpit.domain.keys import EXAMPLE
from cockpit.domain.secret_template import TEMPLATE, Template, parse

OWN = (".github/workflows/ci.yml", ".sops.yaml")
"""What the reference tree has for itself alone."""
PLAIN_SECRETS = (TEMPLATE, "secrets/README.md")
"""Of secrets/, what is copied; the rest is made anew."""
NEEDED = ("cockpit.yaml", "nix/flake.nix", "nix/flake.lock", TEMPLATE)
WORKFLOWS = ".github/workflows/"
TFVARS = "tofu/homelab.auto.tfvars.json"
HOST_PROGRAMS = ("nix/lib/", "nix/modules/", "nix/programs/", "nix/packages/", "nix/flake.lock")
"""The same in every homelab: no word in them is anybody's."""
EXAMPLES = {"domain": "home.example.org", "email": "you@example.org", "timezone": "Europe/Berlin", "tailnet_ip": "100.64.0.7"}
"""What the reference tree says where an answer of that name belongs."""

Files = dict[str, NewFile]


def plant(
    reference: Mapping[str, NewFile], answers: Answers, load: Callable[[str], Any], *, version: str, made_host_key: bool
) -> tuple[Files, Template, tuple[Step, ...]]:
    """(files, the template of its secrets, what comes next). Encrypted files and .sops.yaml are not among the files.

    `version` is that of the cockpit that the workflows install.
    """
    if missing := [path for path in NEEDED if path not in reference]:
        raise CockpitError("the reference homelab is not whole", f"it has no {', '.join(missing)}", "install cockpit again")
    template = parse(load(_text(reference[TEMPLATE])))
    old, new = _only(template.hosts()), answers.host
    out: Files = {}
    for path, file in reference.items():
        if path in OWN or (path.startswith("secrets/") and path not in PLAIN_SECRETS):
            continue
        out[edits.renamed(path, old, new)] = NewFile(_edited(path, file.data, old, answers, version), file.executable)
    folder = f"nix/hosts/{new}/"
    if f"{folder}default.nix" not in out:
        raise CockpitError("the reference homelab is not whole", f"it has no nix/hosts/{old}/default.nix")
    out[f"{folder}site.nix"] = NewFile(edits.site(new, answers.timezone, answers.admin, answers.deploy).encode())
    first = steps(answers, made_host_key=made_host_key, tofu=TFVARS in out)
    out["README.md"] = NewFile(readme(answers, first, TFVARS in out).encode())
    out[".gitignore"] = NewFile(IGNORED.encode())
    _nothing_left(out, old, new)
    return out, parse(load(_text(out[TEMPLATE]))), first


def _edited(path: str, data: bytes, old: str, answers: Answers, version: str) -> bytes:
    if path.startswith(HOST_PROGRAMS):
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    new, proxmox = answers.host, answers.proxmox
    values = {name: str(getattr(answers, name)) for name in EXAMPLES}
    if path.endswith("/.env"):
        keys = {"DOMAIN": "domain", "ACME_EMAIL": "email", "TZ": "timezone", "TAILNET_IP": "tailnet_ip"}
        text = edits.env(text, {key: values[name] for key, name in keys.items() if values[name]})
    elif path == "cockpit.yaml":
        text = edits.settings(text, old, new, answers.address)
        text = edits.cluster(text, new, proxmox) if proxmox is not None else text
    elif path == TEMPLATE:
        text = edits.template(text, old, new)
    elif path == TFVARS:
        text = edits.tfvars(text, old, new, proxmox)
    elif path.startswith(WORKFLOWS):
        text = edits.workflow(text, version)
    elif path == "secrets/README.md":
        text = edits.without(text, "example").replace(f"`{old}/", f"`{new}/")
    text = edits.renamed(text, old, new)
    for name, example in EXAMPLES.items():
        if values[name]:
            text = edits.put(rf"(?<![\w.@-]){re.escape(example)}(?![\w-])", values[name], text)
    return text.encode()


def _nothing_left(files: Files, old: str, new: str) -> None:
    """An example in the place of something of one's own, or a path that leads nowhere, is told here and not by a host."""
    for path, file in files.items():
        text = _text(file)
        if EXAMPLE in text or "AGE-SECRET-KEY-1" in text:
            raise CockpitError("the example's key is left in the new homelab", path)
        if old != new and not path.startswith(HOST_PROGRAMS):
            found = re.search(rf"(?<![\w-])(?:hosts/|secrets/|nix#){re.escape(old)}(?![\w-])", text)
            if found or re.search(rf"/hosts/{re.escape(old)}/", path):
                raise CockpitError(f"the name {old} is left in the new homelab", f"{path}: {found[0] if found else path}")


def _only(hosts: tuple[str, ...]) -> str:
    if len(hosts) != 1:
        raise CockpitError("the reference homelab is not whole", f"its template has files for {len(hosts)} hosts, and needs one")
    return hosts[0]


def _text(file: NewFile) -> str:
    return file.data.decode("utf-8", "replace")
