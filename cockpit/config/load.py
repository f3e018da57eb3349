"""cockpit.yaml -> Settings. Every complaint at once, each with file, line, key, what was expected and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cockpit.config.fields import LONGEST_NAME, NAME, PATH, TABLES, Field, seconds
from cockpit.config.yaml import read
from cockpit.domain.errors import Complaint, SettingsError, UsageError
from cockpit.domain.marked import Node
from cockpit.domain.settings import (
    Build,
    ClusterSettings,
    CredentialSettings,
    EnvSecrets,
    HealthCheck,
    HostSettings,
    HttpCheck,
    ProjectSettings,
    SecretSettings,
    SecretStyle,
    Settings,
    Timing,
    Transport,
    UnitCheck,
)

FILE = "cockpit.yaml"


def find(start: Path) -> Path:
    """The nearest cockpit.yaml at or above a folder. UsageError where there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    raise UsageError(
        f"there is no {FILE} in {start} or above", "", "run cockpit in the homelab's repository, or give --config FILE"
    )


def load(path: Path) -> Settings:
    """Raises SettingsError with every complaint, UsageError where the file cannot be read."""
    reader = _Reader(path.name)
    return reader.settings(read(path, reader.complaints), path.resolve().parent)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.complaints: list[Complaint] = []

    def complain(self, line: int, key: str, what: str, expected: str = "", nearest: str = "") -> None:
        self.complaints.append(Complaint(self.file, line, key, what, expected, nearest))

    # ---- by the table ------------------------------------------------------------------------------------------------------

    def table(self, name: str, node: Node, at: str) -> dict[str, Any]:
        """The values of a mapping by its table, defaults filled in; wrong ones are complained about and left out."""
        fields = TABLES[name].fields
        values: dict[str, Any] = {}
        if node.kind == "null" and not any(f.required for f in fields.values()):
            node = Node(node.line, None, "map")
        if node.kind != "map":
            self.complain(node.line, at or "(file)", f"is {_kind(node)}", f"a mapping: {TABLES[name].about}")
            return {}
        for key, line, value in node.pairs:
            if key not in fields:
                near = _nearest(key, fields)
                self.complain(line, _join(at, key), "is not known here", "" if near else f"one of {', '.join(fields)}", near)
                continue
            values[key] = self.value(fields[key], value, _join(at, key))
        for key, f in fields.items():
            if f.required and key not in values:
                self.complain(node.line, _join(at, key), "is missing", f.about)
            if values.get(key) is None and f.default is not None:
                values[key] = self.default(f)
        return values

    def default(self, f: Field) -> Any:  # noqa: ANN401 - as the table says
        if f.kind == "duration":
            return seconds(f.default)
        if f.kind.startswith("table:"):
            return self.table(f.kind.partition(":")[2], Node(0, None, "map"), "")
        return f.default

    def value(self, f: Field, node: Node, at: str) -> Any:  # noqa: ANN401 - as the table says
        kind, _, inner = f.kind.partition(":")
        if kind == "map":
            if node.kind == "null":
                return {}
            if node.kind != "map":
                self.complain(node.line, at, f"is {_kind(node)}", "a mapping of names")
                return {}
            out: dict[str, Any] = {}
            for key, line, item in node.pairs:
                if not re.fullmatch(NAME, key) or len(key) > LONGEST_NAME:
                    self.complain(line, _join(at, key), "is no name", "lower-case letters, digits, - _ .")
                    continue
                out[key] = self.table(inner, item, _join(at, key)) | {"line": line}
            return out
        if kind == "list":
            if node.kind == "null":
                return []
            if node.kind != "list":
                self.complain(node.line, at, f"is {_kind(node)}", "a list")
                return []
            if inner == "string":
                return [(self.value(Field("string", ""), item, f"{at}[{i}]"), item.line) for i, item in enumerate(node.items)]
            return [self.table(inner, item, f"{at}[{i}]") | {"line": item.line} for i, item in enumerate(node.items)]
        if kind == "table":
            return self.table(inner, node, at) | {"line": node.line}
        return self.scalar(f, kind, node, at)

    def scalar(self, f: Field, kind: str, node: Node, at: str) -> Any:  # noqa: ANN401 - as the table says
        expected = f"e.g. {f.example}" if f.example else f.about
        if node.kind in ("map", "list", "null") or not node.value:
            self.complain(node.line, at, f"is {_kind(node)}" if node.kind in ("map", "list") else "is empty", expected)
            return None
        text = node.value
        if kind == "integer":
            if node.kind != "integer" or not re.fullmatch(r"-?\d{1,9}", text):
                self.complain(node.line, at, f"is {text!r}", "a whole number")
                return None
            if f.choices and text not in f.choices:
                self.complain(node.line, at, f"is {text}", " or ".join(f.choices))
                return None
            return int(text)
        if kind == "boolean":
            if node.kind != "boolean":
                self.complain(node.line, at, f"is {text!r}", "true or false")
                return None
            return text.lower() in ("true", "yes", "on")
        if kind == "duration":
            found = seconds(text)
            if found is None:
                self.complain(node.line, at, f"is {text!r}", "a duration such as 120s, 2m or 1.5s")
            return found
        if f.choices and text not in f.choices:
            self.complain(node.line, at, f"is {text!r}", " or ".join(f.choices), _nearest(text, f.choices))
            return None
        if f.pattern and not re.match(f.pattern, text):
            self.complain(node.line, at, f"is {text!r}", expected)
            return None
        if kind == "path" and not re.match(PATH, text):
            self.complain(node.line, at, f"is {text!r}", "a path below the repository's top")
            return None
        if any(ord(c) < 32 for c in text):
            self.complain(node.line, at, "holds control characters", expected)
            return None
        return text.rstrip("/") if kind == "path" else text

    # ---- the whole -------------------------------------------------------------------------------------------------------------

    def settings(self, node: Node, root: Path) -> Settings:
        if node.kind == "null":
            raise SettingsError([Complaint(self.file, 1, "(file)", "is empty", "at least version: and hosts:")])
        data = self.table("settings", node, "")
        projects: dict[str, ProjectSettings] = {}
        for name, raw in (data.get("projects") or {}).items():
            project = self.project(name, raw)
            if project is not None:
                projects[name] = project
        names = set(data.get("projects") or {})
        clusters: dict[str, ClusterSettings] = {}
        for name, raw in (data.get("clusters") or {}).items():
            cluster = self.cluster(name, raw)
            if cluster is not None:
                clusters[name] = cluster
        hosts: dict[str, HostSettings] = {}
        for name, raw in (data.get("hosts") or {}).items():
            host = self.host(name, raw, names)
            if host is not None:
                hosts[name] = host
        line_of = {key: line for key, line, _ in node.pairs}
        keep = data.get("keep", 15)
        if isinstance(keep, int) and keep < 2:
            self.complain(line_of["keep"], "keep", f"is {keep}", "at least 2: a rollback needs one to go to")
        if not hosts and not self.complaints:
            self.complain(line_of["hosts"], "hosts", "names no host", "at least one")
        self.guests(hosts, data.get("hosts") or {}, set(data.get("clusters") or {}))
        if self.complaints:
            raise SettingsError(sorted(self.complaints, key=lambda c: c.line))
        style = SecretStyle((data.get("secrets") or {}).get("style") or "file")
        return Settings(root, keep, MappingProxyType(hosts), MappingProxyType(projects), MappingProxyType(clusters), style)

    def project(self, name: str, raw: dict[str, Any]) -> ProjectSettings | None:
        if raw.get("source") is None:
            return None
        found: list[SecretSettings] = []
        for secret, values in (raw.get("secrets") or {}).items():
            if values.get("file") is not None:
                mode = (values.get("mode") or "0400").zfill(4)
                found.append(SecretSettings(secret, values["file"], values.get("key"), values.get("owner") or "0:0", mode))
        return ProjectSettings(
            name=name,
            source=raw["source"].removeprefix("./"),
            directory=raw.get("directory") or f"/var/lib/cockpit/projects/{name}",
            env_secrets=EnvSecrets(raw.get("env_secrets") or "refuse"),
            secrets=tuple(found),
        )

    def cluster(self, name: str, raw: dict[str, Any]) -> ClusterSettings | None:
        addresses = tuple(address for address, _ in raw.get("addresses") or [] if address)
        at, secret = f"clusters.{name}", raw.get("secret") or {}
        if "addresses" in raw and not addresses:
            self.complain(raw["line"], f"{at}.addresses", "names no node", "at least one")
        if "secret" in raw and ("file" in secret) == ("env" in secret):
            self.complain(secret.get("line", raw["line"]), f"{at}.secret", "needs exactly one of file and env")
        if not addresses or not secret or raw.get("user") is None:
            return None
        return ClusterSettings(
            name=name,
            addresses=addresses,
            user=raw["user"],
            secret=CredentialSettings(secret.get("file"), secret.get("key"), secret.get("env")),
            fingerprint=raw["fingerprint"].upper() if raw.get("fingerprint") else None,
            protected=bool(raw.get("protected")),
        )

    def guests(self, hosts: dict[str, HostSettings], raw: dict[str, Any], clusters: set[str]) -> None:
        """Complains of hosts whose virtual machine is in no cluster that there is."""
        for name, host in hosts.items():
            cluster = (host.guest or "").partition("/")[0]
            if host.guest and cluster not in clusters:
                why = f"names the cluster {cluster!r}, which is not under clusters:"
                self.complain(raw[name]["line"], f"hosts.{name}.guest", why, "", _nearest(cluster, clusters))

    def host(self, name: str, raw: dict[str, Any], projects: set[str]) -> HostSettings | None:
        if raw.get("address") is None:
            return None
        wanted: list[str] = []
        for project, line in raw.get("projects") or []:
            if project is None:
                continue
            if project not in projects:
                why = f"names {project!r}, which is not under projects:"
                self.complain(line, f"hosts.{name}.projects", why, "", _nearest(project, projects))
            elif project in wanted:
                self.complain(line, f"hosts.{name}.projects", f"names {project!r} twice")
            else:
                wanted.append(project)
        checks: list[HealthCheck] = []
        for item in raw.get("health") or []:
            if ("http" in item) == ("unit" in item):
                self.complain(item["line"], f"hosts.{name}.health", "needs exactly one of http and unit")
            elif item.get("http") is not None:
                checks.append(HttpCheck(item["http"], item.get("status") or 200))
            elif item.get("unit") is not None:
                checks.append(UnitCheck(item["unit"]))
        timing = raw.get("timing") or {}
        if (
            timing.get("revert_after") is not None
            and timing.get("stable") is not None
            and timing["stable"] >= timing["revert_after"]
        ):
            self.complain(
                timing["line"], f"hosts.{name}.timing", "stable is not shorter than revert_after", "a deadline that can be met"
            )
        return HostSettings(
            name=name,
            address=raw["address"],
            user=raw.get("user") or "cockpit",
            host_key=raw.get("host_key"),
            transport=Transport(raw.get("transport") or "ssh"),
            flake=raw.get("flake") or "nix",
            build=Build(raw.get("build") or "host"),
            tags=tuple(tag for tag, _ in raw.get("tags") or [] if tag),
            protected=bool(raw.get("protected")),
            projects=tuple(wanted),
            identity=raw.get("identity") or "/etc/ssh/ssh_host_ed25519_key",
            timing=Timing(**{key: value for key, value in timing.items() if key != "line" and value is not None}),
            health=tuple(checks),
            guest=raw.get("guest"),
        )


def _nearest(word: str, possible: Iterable[str]) -> str:
    """The right name that somebody may have meant, or nothing."""
    import difflib  # only where something is wrong

    return next(iter(difflib.get_close_matches(word, list(possible), 1)), "")


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _kind(node: Node) -> str:
    return {"map": "a mapping", "null": "empty", "integer": "an integer"}.get(node.kind, f"a {node.kind}")
