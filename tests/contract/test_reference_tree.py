"""The reference homelab: consistent, hardened, encrypted, and its release says what cockpit.yaml says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cockpit.adapters.sops import is_encrypted, looks_plain, status_of
from cockpit.config.fields import seconds
from scripts.paths import TOP, tracked

HERE = Path(__file__).parent
PROJECTS = sorted(path.name for path in (TOP / "compose").iterdir() if path.is_dir())
SECRETS = sorted(path for path in tracked() if (TOP / "secrets") in path.parent.parents)
COMPOSE = Path(sys.executable).parent / "docker-compose"
NIX = shutil.which("nix-instantiate") and shutil.which("nix-build")
needs_nix = pytest.mark.skipif(not NIX, reason="not installed: nix")
needs_compose = pytest.mark.skipif(not COMPOSE.exists(), reason="not installed: docker-compose (the development wheel)")


def yaml(path: Path) -> Any:  # noqa: ANN401
    return YAML(typ="safe", pure=True).load(path)


@cache
def settings() -> dict[str, Any]:
    return dict(yaml(TOP / "cockpit.yaml"))


def compose(project: str) -> dict[str, Any]:
    """The project as compose understands it."""
    folder = TOP / "compose" / project
    argv = [str(COMPOSE), "--project-directory", str(folder), "-f", str(folder / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr, done.stderr
    return dict(json.loads(done.stdout))


def leaves(value: object, where: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{where}[{number}]")
    else:
        yield where, value


def test_settings_are_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cockpit", "config", "check", "--config", str(TOP / "cockpit.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_and_folders_agree() -> None:
    assert sorted(settings()["projects"]) == PROJECTS
    assert sorted(settings()["hosts"]["homelab"]["projects"]) == PROJECTS
    assert all(project["source"] == f"compose/{name}" for name, project in settings()["projects"].items())


# ---- secrets ---------------------------------------------------------------------------------------------------------


def test_there_are_secrets() -> None:
    assert len(SECRETS) >= 5


@pytest.mark.parametrize("path", SECRETS, ids=lambda path: path.name)
def test_every_secret_is_encrypted(path: Path) -> None:
    name, data = str(path.relative_to(TOP)), path.read_bytes()
    assert is_encrypted(name, data)
    assert not looks_plain(name, data)
    plain = [
        where
        for where, value in leaves(yaml(path))
        if not where.startswith("sops.") and not str(value).startswith("ENC[AES256_GCM,")
    ]
    assert plain == []


def test_a_plain_leaf_is_found() -> None:
    assert dict(leaves({"a": {"b": ["x"]}, "sops": {"mac": "y"}})) == {"a.b[0]": "x", "sops.mac": "y"}


@pytest.mark.parametrize("path", SECRETS, ids=lambda path: path.name)
def test_every_secret_has_its_rule_and_its_recipients(path: Path) -> None:
    name = str(path.relative_to(TOP))
    rule = next(rule for rule in yaml(TOP / ".sops.yaml")["creation_rules"] if re.search(rule["path_regex"], name))
    recipients = [recipient for group in rule["key_groups"] for recipient in group["age"]]
    assert sorted(status_of(name, path.read_bytes()).recipients) == sorted(recipients)


def test_every_secret_that_is_named_exists() -> None:
    for project in settings()["projects"].values():
        for secret in project.get("secrets", {}).values():
            keys = [where for where, _ in leaves(yaml(TOP / secret["file"]))]
            assert "key" not in secret or secret["key"] in keys, secret


# ---- compose ---------------------------------------------------------------------------------------------------------


@needs_compose
@pytest.mark.parametrize("project", PROJECTS)
def test_compose_uses_the_declared_secrets(project: str) -> None:
    declared = settings()["projects"][project].get("secrets", {})
    used = {secret["file"] for secret in compose(project).get("secrets", {}).values()}
    assert used == {f"/run/cockpit/secrets/{project}/{name}" for name in declared}


def owner(project: str, path: str) -> str:
    """Whom the host gives the file of a secret to."""
    return str(settings()["projects"][project]["secrets"][Path(path).name].get("owner", "0:0"))


RUNS_AS = {"uptime-kuma": "1000", "account": "1000"}
"""Of images that have a user of their own; every other service says `user`, or is root."""
WRITES_TO_ITSELF = {"homepage", "uptime-kuma"}
"""Images whose root cannot be read-only."""
OWN_CHECK = {"gotify", "watchtower", "homepage"}
"""Images that bring a health check."""


@needs_compose
@pytest.mark.parametrize("project", PROJECTS)
def test_compose_is_hardened(project: str) -> None:
    for name, service in compose(project)["services"].items():
        assert re.search(r":v?\d+\.\d+\.\d+(-rootless)?$", service["image"]), f"{name}: {service['image']} has no version"
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "traefik" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("no" if name == "account" else "unless-stopped"), name
        assert "privileged" not in service, name
        assert service.get("network_mode") != "host", name
        assert service.get("read_only", False) == (name not in WRITES_TO_ITSELF), name
        assert int(service["mem_limit"]) <= 512 * 1024 * 1024, name
        assert service["pids_limit"] <= 256, name
        assert all(port.get("host_ip") for port in service.get("ports", [])), f"{name}: a port on every interface"
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or mount.get("read_only"), f"{name}: {mount['target']} is writable"
            assert mount["type"] == "volume" or "docker.sock" not in mount["source"] or name == "socket-proxy", name
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"(?i)(pass|secret|token|key|notification_url)", variable):
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


@needs_compose
@pytest.mark.parametrize("project", PROJECTS)
def test_every_service_can_say_how_it_is(project: str) -> None:
    for name, service in compose(project)["services"].items():
        check = service.get("healthcheck", {})
        if name == "account":  # it ends
            assert check.get("disable") is True
        elif name in OWN_CHECK:
            assert check == {}
            assert f"  {name}:" in (TOP / "compose" / project / "compose.yaml").read_text()
            assert "the image brings its own health check" in (TOP / "compose" / project / "compose.yaml").read_text()
        else:
            assert check["test"][0] == "CMD", name


@needs_compose
@pytest.mark.parametrize("project", PROJECTS)
def test_who_runs_can_read_its_secrets(project: str) -> None:
    """A root without capabilities reads its own files only."""
    found = compose(project)
    for name, service in found["services"].items():
        user = str(service.get("user", RUNS_AS.get(name, "0"))).partition(":")[0]
        for secret in service.get("secrets", []):
            assert owner(project, found["secrets"][secret["source"]]["file"]).partition(":")[0] == user, f"{name}: {secret}"


@needs_compose
def test_only_traefik_is_reached_from_outside() -> None:
    published = {
        (name, str(port["host_ip"]), str(port["published"]))
        for project in PROJECTS
        for name, service in compose(project)["services"].items()
        for port in service.get("ports", [])
    }
    assert published == {
        ("traefik", "100.64.0.7", "80"),
        ("traefik", "100.64.0.7", "443"),
        ("traefik", "127.0.0.1", "8082"),
        ("watchtower", "127.0.0.1", "8083"),
    }


@needs_compose
def test_no_project_needs_another() -> None:
    """What is shared is made by the host; volumes and names are each project's own."""
    for project in PROJECTS:
        found = compose(project)
        assert {name for name, network in found["networks"].items() if network.get("external")} <= {"proxy", "socket"}, project
        assert not any(volume.get("external") for volume in found.get("volumes", {}).values()), project
        assert all(set(service.get("depends_on", {})) <= set(found["services"]) for service in found["services"].values())
        names = [service["container_name"] for service in found["services"].values() if "container_name" in service]
        assert names == (["socket-proxy"] if project == "socket-proxy" else []), project


@needs_compose
def test_every_project_speaks_of_the_same_place() -> None:
    values: dict[str, set[str]] = {}
    for project in PROJECTS:
        for line in (TOP / "compose" / project / ".env").read_text().splitlines() if project != "socket-proxy" else []:
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                values.setdefault(key, set()).add(value)
    assert values == {
        "DOMAIN": {"home.example.org"},
        "TAILNET_IP": {"100.64.0.7"},
        "ACME_EMAIL": {"you@example.org"},
        "TZ": {"Europe/Berlin"},
    }


@needs_compose
def test_what_reads_the_engine_says_what_it_may_ask() -> None:
    readers = [
        (name, service)
        for project in PROJECTS
        for name, service in compose(project)["services"].items()
        if "socket" in service.get("networks", {}) and name != "socket-proxy"
    ]
    assert {name for name, _ in readers} == {"traefik", "dozzle", "watchtower", "homepage", "autokuma"}
    for name, service in readers:
        allowed = [label for label in service["labels"] if label.startswith("socket-proxy.allow.")]
        assert sorted(allowed) == ["socket-proxy.allow.get", "socket-proxy.allow.head"], name
        # compose doubles the dollar signs of what it prints
        pattern = re.compile(service["labels"]["socket-proxy.allow.get"].replace("$$", "$"))
        assert pattern.fullmatch("/v1.51/containers/json"), name
        for path in ("/v1.51/containers/x/archive", "/containers/x/export", "/v1.51/secrets", "/v1.51/containers/x/attach/ws"):
            assert not pattern.fullmatch(path), f"{name}: {path}"


def every_label() -> Iterator[tuple[str, str, str]]:
    """(service, label, value)."""
    for project in PROJECTS:
        for name, service in compose(project)["services"].items():
            for label, value in service.get("labels", {}).items():
                yield name, label, value


@needs_compose
def test_every_service_has_its_monitor() -> None:
    monitors: dict[str, dict[str, str]] = {}
    where: dict[str, str] = {}
    for service, label, value in every_label():
        if label.startswith("kuma."):
            identifier, kind, key = label.removeprefix("kuma.").split(".")
            assert kind == ("group" if identifier == "homelab" else "http")
            monitors.setdefault(identifier, {})[key] = value
            assert where.setdefault(identifier, service) == service, f"{identifier} is said twice"
    assert set(monitors) == {"homelab", "traefik", "certificate", "gotify", "watchtower", "dozzle", "homepage"}
    for identifier, monitor in monitors.items():
        assert monitor["name"]
        if identifier != "homelab":
            assert monitor["parent_name"] == "homelab"
            assert monitor["url"].startswith(("http://", "https://traefik.home.example.org/"))
    # AutoKuma reads a list in JSON
    assert json.loads(monitors["certificate"]["accepted_statuscodes"]) == ["401"]


@needs_compose
def test_every_page_is_on_the_first_page_and_no_key_is_in_a_label() -> None:
    tiles = {value for _, label, value in every_label() if label == "homepage.href"}
    rules = {value for _, label, value in every_label() if label.endswith(".rule")}
    assert {f"https://{name}.home.example.org" for name in ("gotify", "logs", "status")} < tiles
    assert "https://traefik.home.example.org/dashboard/" in tiles
    assert rules == {f"Host(`{name}home.example.org`)" for name in ("", "gotify.", "logs.", "status.")}
    for service, label, value in every_label():
        if re.search(r"(?i)(key|token|password|secret)$", label):
            assert re.fullmatch(r"\{\{HOMEPAGE_FILE_[A-Z_]+\}\}", value), f"{service}: {label}"
    environment = compose("homepage")["services"]["homepage"]["environment"]
    assert environment["HOMEPAGE_FILE_GOTIFY_CLIENT_TOKEN"] == "/run/secrets/gotify-client-token"


# ---- the release -----------------------------------------------------------------------------------------------------


def nix(program: str, attribute: str, *options: str) -> str:
    convert = f"{sys.executable} {HERE / 'yaml_to_json.py'}"
    argv = [
        program,
        *options,
        "--option",
        "build-users-group",
        "",
        str(HERE / "reference.nix"),
        "--argstr",
        "yamlToJson",
        convert,
        "-A",
        attribute,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_nix
@pytest.mark.skipif(not shutil.which("jq"), reason="not installed: jq")
def test_the_release_says_what_the_settings_say() -> None:
    built = Path(nix("nix-build", "release", "--no-out-link", "--option", "sandbox", "false"))
    manifest = json.loads((built / "manifest.json").read_text())
    host = settings()["hosts"]["homelab"]
    assert (manifest["host"], manifest["keep"]) == ("homelab", settings()["keep"])
    assert manifest["settings"]["timing"] == {name: seconds(value) for name, value in host["timing"].items()}
    assert manifest["settings"]["health"] == host["health"]
    assert sorted(manifest["projects"]) == PROJECTS
    for name, project in manifest["projects"].items():
        source = TOP / "compose" / name
        wanted = settings()["projects"][name]
        assert sorted(project["entries"]) == sorted(path.name for path in source.iterdir())
        assert all(Path(path).exists() for path in project["entries"].values())
        assert project["copied"] == [], "a writable bind: write :ro"
        assert project["encrypted"] == {}
        assert project["env_secrets"] == "refuse"
        assert sorted(project["services"]) == sorted(yaml(source / "compose.yaml")["services"])
        for service_name, service in project["services"].items():
            assert (service["plain_secrets"], service["ports_open"]) == ([], [])
            assert service["oneshot"] == (service_name == "account")
        for secret, found in project["secrets"].items():
            assert found["format"] == "yaml"
            assert Path(found["path"]).read_bytes() == (TOP / wanted["secrets"][secret]["file"]).read_bytes()
            assert {key: found[key] for key in wanted["secrets"][secret]} == wanted["secrets"][secret]
        assert sorted(project["secrets"]) == sorted(wanted.get("secrets", {}))
