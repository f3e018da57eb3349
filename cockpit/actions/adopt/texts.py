"""The files that adopting writes: cockpit.yaml, and the module that makes a host one of cockpit's."""

from __future__ import annotations

import json
import re

from msgspec import Struct

from cockpit.actions.adopt.shape import FoundFolder, Shape
from cockpit.domain.settings import SIDECAR

AGE_IDENTITY = "/root/.config/sops/age/keys.txt"
"""Where sops looks for root's age key by itself."""
_PLAIN = re.compile(
    r"(?!(?:true|false|null|yes|no|on|off)$)(?:\d+(?:\.\d+){3}|[a-z/][\w./#@+-]*)(?::\d+)?", re.ASCII | re.IGNORECASE
)
"""Text that is nothing but text, unquoted."""


class Answers(Struct, frozen=True):
    """What the repository does not say."""

    host: str
    address: str
    user: str = "cockpit"
    host_key: str = ""
    directory_root: str = "/opt/containers"
    deploy_keys: tuple[str, ...] = ()
    """Public keys of the deploy user; those of root without any."""
    identity: str = ""
    """File on the host that decrypts; by default its ssh key, or sops' own place where no ssh key can."""
    release: str = ""
    """Of NixOS, for a flake that is to be written."""
    directories: tuple[tuple[str, str], ...] = ()
    """(project, directory) as the host has them; else a folder of the root."""

    def identity_for(self, shape: Shape) -> str:
        """Empty where the default of the settings will do."""
        if self.identity:
            return self.identity
        by_age = any(project.sidecars for project in shape.projects) and not any(r.startswith("ssh-") for r in shape.recipients)
        return AGE_IDENTITY if by_age else ""

    def directory(self, project: FoundFolder) -> str:
        known = dict(self.directories)
        return known.get(project.name) or f"{self.directory_root.rstrip('/')}/{project.source.rpartition('/')[2]}"


def settings(shape: Shape, answers: Answers) -> str:
    """cockpit.yaml."""
    sidecars = any(project.sidecars for project in shape.projects)
    out = [
        "# Written by `cockpit adopt`; yours from now on. `cockpit config check` reads it, docs/adopting.md explains it.",
        "version: 1",
    ]
    if sidecars:
        out += [
            "",
            "# NAME.enc in a project's folder is decrypted into memory on the host and appears there as NAME",
            "secrets: {style: sidecar}",
        ]
    flake = f"{shape.flake_folder or '.'}#{answers.host}" if shape.flake_folder else f"#{answers.host}"
    out += ["", "hosts:", f"  {answers.host}:", f"    address: {_word(answers.address)}", f"    user: {answers.user}"]
    if answers.host_key:
        out.append(f"    host_key: {answers.host_key}")
    else:
        out.append(
            f"    # host_key: ssh-ed25519 AAAA...   # ssh-keyscan -t ed25519 {answers.address}, compared with the host's console"
        )
    if identity := answers.identity_for(shape):
        out += [
            "    # who may read the files is an age key, not the host's ssh key: this is where root has it",
            f"    identity: {_word(identity)}",
        ]
    out += [
        f"    flake: {_word(flake)}",
        f"    projects: [{', '.join(_word(project.name) for project in shape.projects)}]",
        "",
        "projects:",
    ]
    for project in shape.projects:
        out += [
            f"  {_word(project.name)}:",
            f"    source: {_word(project.source)}",
            "    # where it runs already: as long as it stays, nothing is recreated",
            f"    directory: {_word(answers.directory(project))}",
        ]
        if project.sidecars:
            out += [
                f"    # {', '.join(project.sidecars)}: its values end up in containers, whose environment dockerd writes down;",
                "    # file secrets do not: move there one by one, then delete this line",
                "    env_secrets: allow",
            ]
    return "\n".join(out) + "\n"


def module(shape: Shape, answers: Answers) -> str:
    """The file that the flake imports."""
    depth = len([part for part in shape.flake_folder.split("/") if part])
    root = "./" + "/".join([".."] * depth) if depth else "./."
    keys = "config.users.users.root.openssh.authorizedKeys.keys"
    who = "the keys that root has"
    if answers.deploy_keys:
        keys = "[\n" + "".join(f"    {json.dumps(key)}\n" for key in answers.deploy_keys) + "  ]"
        who = "these keys"
    out = [
        "# What makes this host one that cockpit deploys. The flake imports it; written by `cockpit adopt`, yours from now on.",
        "{ revision }:",
        "{ config, ... }:" if not answers.deploy_keys else "{ ... }:",
        "{",
        "  imports = [ ./cockpit/modules/cockpit.nix ];",
        "",
    ]
    if not shape.revision_set:
        out += ["  # which commit runs here: deploys and rollbacks go by it", "  system.configurationRevision = revision;", ""]
    out += [
        f"  cockpit.root = {root};",
        f'  cockpit.host = "{answers.host}";',
        f'  cockpit.projectRoots = [ "{shape.projects_folder}" ];',
    ]
    if answers.user != "cockpit":
        out.append(f'  cockpit.user = "{answers.user}";')
    out += [
        "",
        f"  # who may deploy, which is as much as root: {who}",
        f"  users.users.{answers.user}.openssh.authorizedKeys.keys = {keys};",
        "}",
    ]
    return "\n".join(out) + "\n"


def ignored(before: str | None, shape: Shape) -> str | None:
    """.gitignore with the plain names of sidecars in it; None where it is as it should be."""
    plain = sorted({name.removesuffix(SIDECAR) for project in shape.projects for name in project.sidecars})
    have = {entry.strip().removeprefix("**/").removeprefix("/") for entry in (before or "").splitlines()}
    missing = [name for name in plain if name not in have]
    if not missing:
        return None
    text = before or ""
    text += "\n" if text and not text.endswith("\n") else ""
    return text + "# plain text of what is encrypted beside it\n" + "\n".join(missing) + "\n"


def _word(text: str) -> str:
    """As YAML has it: quoted where it could mean something else."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
