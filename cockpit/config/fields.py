"""One table of what cockpit.yaml may say; parsing, complaints, the JSON schema and the documentation come from it."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

NAME = r"^[a-z0-9][a-z0-9_.-]*$"
LONGEST_NAME = 63
HOST_KEY = (
    r"^(ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}"
    r"|ssh-rsa AAAAB3NzaC1yc2E[A-Za-z0-9+/]{100,}={0,2}"
    r"|ecdsa-sha2-nistp(256|384|521) AAAAE2VjZHNhLXNoYTItbmlzdHA[A-Za-z0-9+/]{80,}={0,2})$"
)
"""TYPE BASE64 of a public key, whose base64 begins with the type once more: one that was cut off or mixed up is told."""
PATH = r"^(?!/)(?!(.*/)?\.\.(/|$))(?=.*[^./])"
"""Below the repository's top, and not the top itself."""


class Field(Struct, frozen=True):
    """One key. `kind` is a scalar kind, or the name of another table."""

    kind: str
    about: str
    required: bool = False
    default: Any = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    example: str = ""
    least: int | None = None
    """The smallest number, or the fewest entries of a mapping."""


class Table(Struct, frozen=True):
    """A mapping with known keys."""

    about: str
    fields: dict[str, Field] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    """Exactly one of these keys must be there."""


TABLES: dict[str, Table] = {
    "settings": Table(
        "cockpit.yaml, at the top of the homelab's repository",
        {
            "version": Field("integer", "version of this file's format", required=True, choices=("1",)),
            "keep": Field("integer", "generations that a host keeps", default=15, least=2),
            "hosts": Field("map:host", "NixOS hosts by name", required=True, least=1),
            "projects": Field("map:project", "compose projects by name", default={}),
            "clusters": Field("map:cluster", "Proxmox VE clusters by name", default={}),
            "secrets": Field("table:secret_files", "how encrypted files in project folders are named", default={}),
        },
    ),
    "secret_files": Table(
        "how encrypted files at the top of a project's folder are named",
        {
            "style": Field(
                "string",
                "file: what sops encrypted is rendered under its own name; sidecar: NAME.enc is rendered as NAME",
                default="file",
                choices=("file", "sidecar"),
            ),
        },
    ),
    "host": Table(
        "a NixOS host",
        {
            "address": Field(
                "string",
                "host name or IP that the proof of reachability goes to, optionally :port",
                required=True,
                example="100.64.0.7",
            ),
            "user": Field("string", "deploy user", default="cockpit", pattern=r"^[a-z_][a-z0-9_-]*$"),
            "host_key": Field(
                "string",
                "pinned host key; without it known_hosts decides",
                pattern=HOST_KEY,
                example="ssh-ed25519 AAAA...",
            ),
            "transport": Field("string", "how the host is reached", default="ssh", choices=("ssh",)),
            "flake": Field(
                "string",
                "FOLDER#ATTRIBUTE of the flake; the attribute is the host's name by default",
                default="nix",
                pattern=r"^[A-Za-z0-9._/-]*(#[A-Za-z0-9._-]+)?$",
            ),
            "build": Field("string", "where the system is built", default="host", choices=("host",)),
            "tags": Field("list:string", "names for --host @tag", default=[]),
            "protected": Field("boolean", "raises every action by one tier; headless it needs --approve-host", default=False),
            "projects": Field("list:string", "projects that run there", default=[]),
            "identity": Field(
                "string",
                "file on the host that decrypts its secrets (ssh or age key)",
                default="/etc/ssh/ssh_host_ed25519_key",
                pattern=r"^/",
            ),
            "timing": Field("table:timing", "deadlines", default={}),
            "health": Field("list:health", "checks that a release must pass", default=[]),
            "guest": Field(
                "string", "CLUSTER/VMID of the virtual machine that it is", pattern=r"^[^/\s]+/\d{1,9}$", example="home/101"
            ),
        },
    ),
    "timing": Table(
        "deadlines of a transaction",
        {
            "wait": Field("duration", "until a project must be healthy", default="120s"),
            "stable": Field("duration", "how long nothing may restart", default="10s"),
            "revert_after": Field("duration", "from activation until the confirmation; then the host goes back", default="300s"),
        },
    ),
    "health": Table(
        "one check: http, or unit",
        {
            "http": Field("string", "URL, asked from the host", pattern=r"^https?://[^\s]+$"),
            "status": Field("integer", "expected HTTP status", default=200),
            "unit": Field("string", "systemd unit that must be active", pattern=r"^[A-Za-z0-9@:._\\-]+$"),
        },
        one_of=("http", "unit"),
    ),
    "project": Table(
        "a compose project",
        {
            "source": Field("path", "folder of the repository with its compose.yaml", required=True, example="compose/paperless"),
            "directory": Field(
                "string", "stable directory on the host; /var/lib/cockpit/projects/NAME by default", pattern=r"^/[^\s]*$"
            ),
            "env_secrets": Field(
                "string",
                "whether secrets may be in environment: and env_file: (dockerd writes them to its disk)",
                default="refuse",
                choices=("refuse", "allow"),
            ),
            "secrets": Field("map:secret", "file secrets, rendered to /run/cockpit/secrets/PROJECT/NAME", default={}),
        },
    ),
    "cluster": Table(
        "a Proxmox VE cluster, or a single node",
        {
            "addresses": Field("list:string", "HOST[:PORT] of its nodes; the first that answers is asked", required=True),
            "user": Field(
                "string",
                "USER@REALM!TOKENID for an API token, USER@REALM for a password",
                required=True,
                pattern=r"^[^\s:/@!]+@[A-Za-z0-9_.-]+(![A-Za-z0-9_.-]+)?$",
                example="cockpit@pve!tui",
            ),
            "secret": Field("table:credential", "the token's secret, or the password", required=True),
            "fingerprint": Field(
                "string",
                "SHA-256 of the certificate; without it the system's authorities decide",
                pattern=r"^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$",
                example="AB:CD:...",
            ),
            "protected": Field("boolean", "raises every action by one tier; headless it needs --approve-host", default=False),
        },
    ),
    "credential": Table(
        "where a secret of the controller comes from: file, or env",
        {
            "file": Field("path", "encrypted file of the repository", example="secrets/proxmox.yaml"),
            "key": Field("string", "dotted path in the file; the whole file without it", example="proxmox.token"),
            "env": Field("string", "environment variable with it", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", example="PVE_TOKEN"),
        },
        one_of=("file", "env"),
    ),
    "secret": Table(
        "a file secret",
        {
            "file": Field("path", "encrypted file under secrets/", required=True, example="secrets/homelab/paperless.yaml"),
            "key": Field("string", "dotted path in the file; the whole file without it", example="paperless.db-password"),
            "owner": Field(
                "string", "UID:GID in the container", default="0:0", pattern=r"^\d{1,10}:\d{1,10}$", example="1000:1000"
            ),
            "mode": Field("string", "octal mode", default="0400", pattern=r"^0?[0-7]{3}$"),
        },
    ),
}

DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)?$")
_FACTOR = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: object) -> float | None:
    """`120s`, `2m`, `1.5s` or a bare number of seconds; None where it is none of them."""
    if isinstance(text, bool):
        return None
    match = DURATION.match(str(text).strip())
    return float(match[1]) * _FACTOR[match[2] or "s"] if match else None


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of cockpit.yaml."""
    definitions = {name: _table_schema(table) for name, table in TABLES.items() if name != "settings"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cockpit.yaml",
        **_table_schema(TABLES["settings"]),
        "$defs": definitions,
    }


def _table_schema(table: Table) -> dict[str, Any]:
    choice = {"oneOf": [{"required": [name]} for name in table.one_of]} if table.one_of else {}
    return choice | {
        "type": "object",
        "description": table.about,
        "additionalProperties": False,
        "required": [name for name, f in table.fields.items() if f.required],
        "properties": {name: _field_schema(f) for name, f in table.fields.items()},
    }


def _field_schema(f: Field) -> dict[str, Any]:
    kind, _, inner = f.kind.partition(":")
    out: dict[str, Any]
    if kind == "map":
        out = {
            "type": "object",
            "propertyNames": {"pattern": NAME, "maxLength": LONGEST_NAME},
            "additionalProperties": {"$ref": f"#/$defs/{inner}"},
        }
        if f.least is not None:
            out["minProperties"] = f.least
    elif kind == "list":
        out = {
            "type": "array",
            "items": {"type": "string", "minLength": 1} if inner == "string" else {"$ref": f"#/$defs/{inner}"},
        }
    elif kind == "table":
        out = {"$ref": f"#/$defs/{inner}"}
    elif kind == "duration":
        out = {"type": ["string", "number"], "pattern": DURATION.pattern, "minimum": 0}
    elif kind == "path":
        out = {"type": "string", "pattern": PATH}
    else:
        out = {"type": kind}
        if kind == "string":
            out["minLength"] = 1
        if f.least is not None:
            out["minimum"] = f.least
    if f.pattern:
        out["pattern"] = f.pattern
    if f.choices:
        out["enum"] = [int(c) for c in f.choices] if kind == "integer" else list(f.choices)
    out["description"] = f.about
    if f.default not in (None, {}, []):
        out["default"] = f.default
    if f.example:
        out["examples"] = [f.example]
    return out
