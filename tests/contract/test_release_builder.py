"""The builder of a release, run by itself: what it makes of compose projects and encrypted files, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.paths import TOP

PROGRAMS = TOP / "nix/programs"
TO_JSON = f"{sys.executable} {Path(__file__).parent / 'yaml_to_json.py'}"
ENCRYPTED = "TOKEN=ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops_mac=ENC[x]\nsops_version=3.11.0\n"
COMPOSE = """\
services:
  proxy:
    image: proxy:1
    container_name: proxy
    command: --token=$$5
    environment: ["TOKEN=${TOKEN}", MODE=plain, PRICE=5$$]
    volumes:
      - /opt/containers/proxy/config/proxy.yaml:/etc/proxy.yaml:ro
      - /opt/containers/proxy/config/dynamic:/etc/dynamic:ro
      - /opt/containers/proxy/certs:/certs:rw
      - /opt/containers/proxy/rules:/rules:ro
      - /opt/containers/proxyother/x:/x
      - /run/docker.sock:/run/docker.sock:ro
  quiet:
    image: proxy:1
    labels: {price: "5$$"}
"""
pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="not installed: jq")


@dataclass
class Builder:
    """A repository with one host and one project, and the builder over it."""

    path: Path
    settings: dict[str, Any]

    def write(self, name: str, text: str) -> None:
        target = self.path / "repo" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def run(self) -> subprocess.CompletedProcess[str]:
        work = self.path / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(self.path / "out", ignore_errors=True)
        work.mkdir()
        self.write("cockpit.yaml", json.dumps(self.settings))
        folders = [folder for folder in (self.path / "repo/containers").iterdir() if folder.is_dir()]
        projects = {f"containers/{f.name}": {entry.name: str(entry) for entry in f.iterdir()} for f in folders}
        (work / "sources").write_text(json.dumps({"projects": projects, "secrets": {}}))
        environment = {
            "out": str(self.path / "out"),
            "host": "nixos",
            "commit": "a" * 40,
            "settings": str(self.path / "repo/cockpit.yaml"),
            "sourcesPath": str(work / "sources"),
            "functions": str(PROGRAMS / "release.jq"),
            "yamlToJson": TO_JSON,
            "PATH": os.environ["PATH"],
        }
        argv = ["bash", "-eu", str(PROGRAMS / "build-release.sh")]
        return subprocess.run(argv, cwd=work, env=environment, capture_output=True, text=True, check=False)

    def project(self) -> dict[str, Any]:
        done = self.run()
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads((self.path / "out/manifest.json").read_text())["projects"]["proxy"]
        return found

    def refused(self) -> str:
        done = self.run()
        assert done.returncode != 0
        return done.stderr


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    settings = {
        "version": 1,
        "secrets": {"style": "sidecar"},
        "hosts": {"nixos": {"address": "x", "projects": ["proxy"]}},
        "projects": {"proxy": {"source": "containers/proxy", "directory": "/opt/containers/proxy", "env_secrets": "allow"}},
    }
    made = Builder(tmp_path, settings)
    made.write("containers/proxy/compose.yaml", COMPOSE)
    made.write("containers/proxy/config/proxy.yaml", "entry: 1\n")
    made.write("containers/proxy/rules/one.yaml", "rule: 1\n")
    made.write("containers/proxy/.env.enc", ENCRYPTED)
    return made


def test_a_sidecar_is_rendered_under_the_name_without_its_suffix(builder: Builder) -> None:
    project = builder.project()
    assert project["encrypted"] == {
        ".env": {"path": str(builder.path / "repo/containers/proxy/.env.enc"), "format": "dotenv"},
    }
    assert sorted(project["entries"]) == ["compose.yaml", "config", "rules"]


def test_without_the_style_a_file_keeps_its_name(builder: Builder) -> None:
    del builder.settings["secrets"]
    assert list(builder.project()["encrypted"]) == [".env.enc"]


def test_a_sidecar_in_plain_text_is_refused(builder: Builder) -> None:
    builder.write("containers/proxy/.env.enc", "TOKEN=hunter2\n")
    said = builder.refused()
    assert "'containers/proxy/.env.enc' is not encrypted" in said
    assert "hunter2" not in said


def test_the_plain_file_beside_a_sidecar_is_refused(builder: Builder) -> None:
    builder.write("containers/proxy/.env", "TOKEN=hunter2\n")
    said = builder.refused()
    assert "'containers/proxy/.env' is in git beside '.env.enc', in plain text" in said
    assert "git rm --cached containers/proxy/.env" in said


def test_values_of_an_encrypted_env_are_told_where_they_end_up(builder: Builder) -> None:
    services = builder.project()["services"]
    assert services["proxy"]["interpolated"] == ["TOKEN"]
    assert services["quiet"]["interpolated"] == []
    (builder.path / "repo/containers/proxy/.env.enc").unlink()
    builder.write("containers/proxy/.env", "TOKEN=not-a-secret\n")
    assert builder.project()["services"]["proxy"]["interpolated"] == []


def test_absolute_binds_in_the_projects_directory_count_as_its_own(builder: Builder) -> None:
    """`config` has no `dynamic` in git: the engine makes it, which it cannot do in the store. `rules` is mounted as it is."""
    assert builder.project()["copied"] == ["config"]
    builder.write("containers/proxy/config/dynamic/README", "routers go here\n")
    assert builder.project()["copied"] == []
    builder.write("containers/proxy/compose.yaml", COMPOSE.replace("rules:/rules:ro", "rules:/rules"))
    assert builder.project()["copied"] == ["rules"]


def test_a_mount_of_the_whole_directory_copies_everything(builder: Builder) -> None:
    builder.write("containers/proxy/compose.yaml", "services: {a: {image: a, volumes: ['/opt/containers/proxy/:/all']}}\n")
    assert sorted(builder.project()["copied"]) == ["compose.yaml", "config", "rules"]


def test_an_override_replaces_a_command(builder: Builder) -> None:
    """As compose merges them: nothing of the command before it is left, nor what that would have filled in."""
    builder.write("containers/proxy/compose.yaml", COMPOSE.replace("--token=$$5", '["--token=${TOKEN}"]'))
    builder.write("containers/proxy/.env.enc", ENCRYPTED)
    assert "command" in builder.project()["services"]["proxy"]["interpolated"]
    builder.write("containers/proxy/compose.override.yaml", "services: {proxy: {command: [--plain]}}\n")
    assert "command" not in builder.project()["services"]["proxy"]["interpolated"]


def test_an_override_adds_to_lists(builder: Builder) -> None:
    """As compose merges them: what the first file mounts and publishes is still mounted and published."""
    before = builder.project()
    builder.write("containers/proxy/more/x", "1\n")
    override = "services: {proxy: {volumes: [./more:/more], ports: ['9000:9000'], labels: {extra: x}}}\n"
    builder.write("containers/proxy/compose.override.yaml", override)
    found = builder.project()
    assert set(found["copied"]) == {*before["copied"], "more"} and set(found["mounted"]) == {*before["mounted"], "more"}
    assert "9000" in found["services"]["proxy"]["ports_open"][-1]
    assert found["services"]["proxy"]["image"] == before["services"]["proxy"]["image"]
