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


@needs_compose
@pytest.mark.parametrize("project", PROJECTS)
def test_compose_is_hardened(project: str) -> None:
    for name, service in compose(project)["services"].items():
        assert re.search(r":[^:/]*\d[^:/]*$", service["image"]), f"{name}: {service['image']} has no version"
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert "privileged" not in service, name
        assert service.get("network_mode") != "host", name
        assert all(port.get("host_ip") for port in service.get("ports", [])), f"{name}: a port on every interface"
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or mount.get("read_only"), f"{name}: {mount['target']} is writable"
            assert mount["type"] == "volume" or "docker.sock" not in mount["source"] or name == "socket-proxy", name
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"(?i)(pass|secret|token|key|notification_url)", variable):
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


@needs_compose
def test_what_reads_the_engine_says_what_it_may_ask() -> None:
    readers = [
        (name, service)
        for project in PROJECTS
        for name, service in compose(project)["services"].items()
        if "socket" in service.get("networks", {}) and name != "socket-proxy"
    ]
    assert {name for name, _ in readers} == {"traefik", "dozzle", "watchtower"}
    for name, service in readers:
        allowed = [label for label in service["labels"] if label.startswith("socket-proxy.allow.")]
        assert sorted(allowed) == ["socket-proxy.allow.get", "socket-proxy.allow.head"], name
        # compose doubles the dollar signs of what it prints
        pattern = re.compile(service["labels"]["socket-proxy.allow.get"].replace("$$", "$"))
        assert pattern.fullmatch("/v1.51/containers/json"), name
        for path in ("/v1.51/containers/x/archive", "/containers/x/export", "/v1.51/secrets", "/v1.51/containers/x/attach/ws"):
            assert not pattern.fullmatch(path), f"{name}: {path}"


# ---- the host --------------------------------------------------------------------------------------------------------


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
@pytest.mark.parametrize(
    "path", [path for path in tracked() if path.suffix == ".nix"], ids=lambda path: str(path.relative_to(TOP))
)
def test_nix_parses(path: Path) -> None:
    done = subprocess.run(["nix-instantiate", "--parse", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_nix
def test_the_flake_and_its_lock_agree(tmp_path: Path) -> None:
    for name in ("flake.nix", "flake.lock"):
        shutil.copy(TOP / "nix" / name, tmp_path)
    argv = [
        "nix",
        "--offline",
        "--extra-experimental-features",
        "nix-command flakes",
        "flake",
        "metadata",
        "--no-update-lock-file",
        "--json",
    ]
    done = subprocess.run([*argv, f"path:{tmp_path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    locked = json.loads(done.stdout)["locks"]["nodes"]["nixpkgs"]["locked"]
    assert re.fullmatch(r"[0-9a-f]{40}", locked["rev"])


@needs_nix
def test_the_host() -> None:
    host = json.loads(nix("nix-instantiate", "host", "--eval", "--strict", "--json"))
    assert host["networking"]["hostName"] in settings()["hosts"]
    assert host["mutableUsers"] is False
    assert host["virtualisation"]["docker"]["daemon"]["settings"]["live-restore"] is True
    assert "autoPrune" not in host["virtualisation"]["docker"]
    assert host["services"]["openssh"]["settings"]["PasswordAuthentication"] is False
    assert host["networking"]["firewall"]["interfaces"]["tailscale0"]["allowedTCPPorts"] == [22, 443]
    assert {"cockpit-converge", "cockpit-recover", "cockpit-secrets", "docker-networks"} <= set(host["units"])
    # what is to be filled in is asked for before anything is built
    if not host["keys"]["admin"]:
        assert [bool(found["assertion"]) for found in host["assertions"]] == [False]


@needs_nix
def test_a_wrong_option_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in ("nix", "compose", "secrets", "tests/lab/nix"):
        shutil.copytree(TOP / folder, tree / folder)
    shutil.copy(TOP / "cockpit.yaml", tree)
    (tree / "tests/contract").mkdir()
    shutil.copy(HERE / "reference.nix", tree / "tests/contract")
    host = tree / "nix/hosts/homelab/default.nix"
    host.write_text(host.read_text().replace("zramSwap.enable", "zramSwap.enabled"))
    argv = [
        "nix-instantiate",
        "--eval",
        "--strict",
        str(tree / "tests/contract/reference.nix"),
        "--argstr",
        "yamlToJson",
        "x",
        "-A",
        "host",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "zramSwap.enabled' does not exist" in done.stderr


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
        for service in project["services"].values():
            assert (service["plain_secrets"], service["ports_open"], service["oneshot"]) == ([], [], False)
        for secret, found in project["secrets"].items():
            assert found["format"] == "yaml"
            assert Path(found["path"]).read_bytes() == (TOP / wanted["secrets"][secret]["file"]).read_bytes()
            assert {key: found[key] for key in wanted["secrets"][secret]} == wanted["secrets"][secret]
        assert sorted(project["secrets"]) == sorted(wanted.get("secrets", {}))
