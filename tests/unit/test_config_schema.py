"""The JSON schema says the same as load()."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cockpit.config import load, schema
from cockpit.config.fields import TABLES
from cockpit.domain.errors import SettingsError

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
KEYWORDS = {
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "default",
    "examples",
    "type",
    "enum",
    "pattern",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "minimum",
    "minLength",
    "maxLength",
    "oneOf",
    "minProperties",
}
HOST = "version: 1\nhosts: {a: {address: x, %s}}\n"
PROJECT = "version: 1\nhosts: {a: {address: x}}\nprojects: {p: {source: c, %s}}\n"


def accepts(rule: Any, value: Any, root: dict[str, Any]) -> bool:  # noqa: ANN401 - JSON
    """As much of JSON Schema 2020-12 as schema() uses."""
    if isinstance(rule, bool):
        return rule
    if "$ref" in rule:
        return accepts(root["$defs"][rule["$ref"].removeprefix("#/$defs/")], value, root)
    kinds = rule.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, TYPES[k]) and (k == "boolean" or not isinstance(value, bool)) for k in kinds):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if "oneOf" in rule and sum(accepts({"type": "object"} | r, value, root) for r in rule["oneOf"]) != 1:
        return False
    if isinstance(value, str):
        return bool(re.search(rule.get("pattern", ""), value)) and rule.get("minLength", 0) <= len(value) <= rule.get(
            "maxLength", 10**6
        )
    if isinstance(value, int | float):
        return bool(value >= rule.get("minimum", value))
    if isinstance(value, list):
        return all(accepts(rule.get("items", True), item, root) for item in value)
    if isinstance(value, dict):
        known = rule.get("properties", {})
        return (
            all(key in value for key in rule.get("required", ()))
            and len(value) >= rule.get("minProperties", 0)
            and all(accepts({"type": "string"} | rule.get("propertyNames", {}), key, root) for key in value)
            and all(accepts(known.get(key, rule.get("additionalProperties", True)), item, root) for key, item in value.items())
        )
    return True


def loads(folder: Path, text: str) -> bool:
    path = folder / "cockpit.yaml"
    path.write_text(text)
    try:
        load(path)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("version: 1\nhosts: {a: {address: x}}\n", True),
        ("version: 2\nhosts: {a: {address: x}}\n", False),
        ('version: "1"\nhosts: {a: {address: x}}\n', False),
        ("hosts: {a: {address: x}}\n", False),
        ("version: 1\n", False),
        ("version: 1\nhosts: {}\n", False),
        ("version: 1\nhosts: {A: {address: x}}\n", False),
        (f"version: 1\nhosts: {{{'a' * 63}: {{address: x}}}}\n", True),
        (f"version: 1\nhosts: {{{'a' * 64}: {{address: x}}}}\n", False),
        ("version: 1\nhosts: {a: {}}\n", False),
        ('version: 1\nhosts: {a: {address: ""}}\n', False),
        ("version: 1\nkeep: 2\nhosts: {a: {address: x}}\n", True),
        ("version: 1\nkeep: 1\nhosts: {a: {address: x}}\n", False),
        ("version: 1\nkeep: true\nhosts: {a: {address: x}}\n", False),
        ("version: 1\nkepp: 2\nhosts: {a: {address: x}}\n", False),
        (HOST % "user: _x-1", True),
        (HOST % "user: Root", False),
        (HOST % "host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", True),
        (HOST % "host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJ", False),
        (HOST % "host_key: ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", False),
        (HOST % "host_key: AAAA", False),
        (HOST % "transport: ssh", True),
        (HOST % "transport: local", False),
        (HOST % "flake: 'nix#x'", True),
        (HOST % "flake: 'a b'", False),
        (HOST % "protected: true", True),
        (HOST % "protected: maybe", False),
        (HOST % "tags: [a]", True),
        (HOST % "tags: a", False),
        (HOST % "tags: [{a: b}]", False),
        (HOST % "identity: key", False),
        (HOST % "timing: {wait: 2m, stable: 1, revert_after: 1.5}", True),
        (HOST % "timing: {wait: soon}", False),
        (HOST % "timing: {wait: -1}", False),
        (HOST % "timing: {wiat: 1s}", False),
        (HOST % "timing: [1]", False),
        (HOST % "health: [{http: 'http://x', status: 204}, {unit: a.service}]", True),
        (HOST % "health: [{http: 'http://x', unit: a}]", False),
        (HOST % "health: [{status: 200}]", False),
        (HOST % "health: [{http: 'ftp://x'}]", False),
        (PROJECT % "directory: /srv/p", True),
        (PROJECT % "directory: srv", False),
        (PROJECT % "env_secrets: allow", True),
        (PROJECT % "env_secrets: yes-please", False),
        (PROJECT % "secrets: {s: {file: f, key: a.b, owner: '1:1', mode: '0400'}}", True),
        (PROJECT % "secrets: {s: {key: a}}", False),
        (PROJECT % "secrets: {s: {file: f, owner: root}}", False),
        (PROJECT % "secrets: {s: {file: f, mode: '999'}}", False),
        ("version: 1\nhosts: {a: {address: x}}\nprojects: {p: {source: /abs}}\n", False),
        ("version: 1\nhosts: {a: {address: x}}\nprojects: {p: {source: a/../b}}\n", False),
        ("version: 1\nhosts: {a: {address: x}}\nprojects: {p: {source: ./a/}}\n", True),
        ("version: 1\nhosts: {a: {address: x}}\nprojects: {p: {source: ./}}\n", False),
    ],
)
def test_schema_and_load_agree(tmp_path: Path, text: str, good: bool) -> None:
    rule = schema()
    value = YAML(typ="safe", pure=True).load(text)
    assert loads(tmp_path, text) is good
    assert accepts(rule, value, rule) is good


def test_it_is_a_schema_that_names_every_key_and_says_what_it_is() -> None:
    rule = schema()
    assert json.loads(json.dumps(rule)) == rule
    assert rule["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(rule["$defs"]) == set(TABLES) - {"settings"}
    for name, table in TABLES.items():
        described = rule if name == "settings" else rule["$defs"][name]
        assert set(described["properties"]) == set(table.fields)
        assert all(f["description"] for f in described["properties"].values())

    def walk(node: Any, names: bool) -> None:  # noqa: ANN401 - JSON
        if isinstance(node, dict):
            for key, item in node.items():
                assert names or key in KEYWORDS, key
                if key == "$ref":
                    assert item.removeprefix("#/$defs/") in rule["$defs"]
                if key == "pattern":
                    re.compile(item)
                if key not in ("default", "examples", "enum", "required", "type"):
                    walk(item, not names and key in ("properties", "$defs"))
        elif isinstance(node, list):
            for item in node:
                walk(item, False)

    walk(rule, False)


def test_defaults_of_the_schema_are_accepted_by_it() -> None:
    rule = schema()
    for table in (rule, *rule["$defs"].values()):
        for name, f in table["properties"].items():
            if "default" in f:
                assert accepts(f, f["default"], rule), name
