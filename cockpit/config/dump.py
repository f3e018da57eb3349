"""Settings -> cockpit.yaml, defaults left out: what `load` reads back as the same settings."""

from __future__ import annotations

from enum import Enum
from io import StringIO
from typing import Any

from cockpit.config.fields import TABLES, Table, seconds
from cockpit.domain.settings import HealthCheck, HostSettings, HttpCheck, ProjectSettings, SecretSettings, Settings, Timing


def dump(settings: Settings) -> str:
    """YAML in the order of the table; `root` is where the file lies and is not written."""
    from ruamel.yaml import YAML

    tree: dict[str, Any] = {"version": 1} | _table("settings", {"keep": settings.keep})
    tree["hosts"] = {name: _host(host) for name, host in settings.hosts.items()}
    if settings.projects:
        tree["projects"] = {name: _project(project) for name, project in settings.projects.items()}
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _host(host: HostSettings) -> dict[str, Any]:
    return _table(
        "host",
        {name: getattr(host, name) for name in TABLES["host"].fields if name not in ("timing", "health")}
        | {"timing": _timing(host.timing), "health": [_check(check) for check in host.health]},
    )


def _timing(timing: Timing) -> dict[str, Any]:
    return _table("timing", {name: getattr(timing, name) for name in TABLES["timing"].fields})


def _check(check: HealthCheck) -> dict[str, Any]:
    if isinstance(check, HttpCheck):
        return _table("health", {"http": check.http, "status": check.status})
    return _table("health", {"unit": check.unit})


def _project(project: ProjectSettings) -> dict[str, Any]:
    usual = f"/var/lib/cockpit/projects/{project.name}"
    return _table(
        "project",
        {
            "source": project.source,
            "directory": None if project.directory == usual else project.directory,
            "env_secrets": project.env_secrets,
            "secrets": {secret.name: _secret(secret) for secret in project.secrets},
        },
    )


def _secret(secret: SecretSettings) -> dict[str, Any]:
    return _table("secret", {name: getattr(secret, name) for name in TABLES["secret"].fields})


def _table(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not the table's defaults, in the table's order."""
    table: Table = TABLES[name]
    out: dict[str, Any] = {}
    for key, field in table.fields.items():
        value = values.get(key)
        if isinstance(value, Enum):
            value = value.value
        elif isinstance(value, tuple):
            value = list(value)
        default = seconds(field.default) if field.kind == "duration" else field.default
        if value in (None, [], {}) or (value == default and not field.required):
            continue
        out[key] = value
    return out
