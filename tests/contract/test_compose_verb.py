"""`cockpit-transaction compose` with the real compose and a real engine; systemd is played by two small scripts.

The programs look at fixed places: they run in a mount namespace of their own, in which those are empty.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.paths import TOP
from tests.contract.test_docker_contract import IMAGE, docker
from tests.contract.test_docker_contract import _missing as no_engine
from tests.lab.host import compose_binary

pytestmark = pytest.mark.timeout(900)

NAMESPACE = """
set -e
touch "$T/docker.sock"; mount --bind "$(readlink -f /var/run/docker.sock)" "$T/docker.sock"
mount -t tmpfs state /run; mount -t tmpfs state /var/lib
mkdir -p /run/current-system/cockpit /run/cockpit /var/lib/cockpit/attempts
cp "$T/manifest.json" /run/current-system/cockpit/manifest.json
[ ! -e "$T/holder.json" ] || cp "$T/holder.json" /run/cockpit/holder.json
open=/var/lib/cockpit/attempts/000001-abcd1234
[ ! -e "$T/open" ] || { mkdir -p $open; echo '{}' >$open/intent.json; }
export PATH="$T/bin:$PATH" DOCKER_HOST="unix://$T/docker.sock" DOCKER_CONFIG="$T/docker" COCKPIT_SELF="$T/cockpit/bin"
status=0
bash "$T/cockpit/bin/cockpit-transaction" "$@" || status=$?
[ ! -e /run/cockpit/holder.json ] || cp /run/cockpit/holder.json "$T/holder.left"
exit $status
"""
SYSTEMCTL = '#!/bin/sh\n[ "$1" != show ] || cat "$T/unit"\n'
SYSTEMD_RUN = """#!/bin/sh
echo "$*" >>"$T/started"
while [ "${1#-}" != "$1" ]; do if [ "$1" = -p ]; then shift; fi; shift; done
cp /run/cockpit/holder.json "$T/holder.before" 2>/dev/null
exec bash "$@"
"""
SERVICE = "  {name}: {{image: {image}, command: [/bin/busybox, sleep, '{seconds}'], network_mode: none, restart: always}}"


class Place:
    """A host of one project, and what `docker` knows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = f"verb-{secrets.token_hex(4)}"
        (folder / "bin").mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("systemd-run", SYSTEMD_RUN)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(compose_binary())
        shutil.copytree(TOP / "nix/programs", folder / "cockpit/libexec")
        (folder / "cockpit/bin").mkdir()
        program = f'COCKPIT_SELF="{folder}/cockpit/bin"\n. "{folder}/cockpit/libexec/transaction.sh"\n'
        (folder / "cockpit/bin/cockpit-transaction").write_text(program)
        (folder / "unit").write_text("inactive\n")
        self.compose()

    def compose(self, seconds: int = 600) -> None:
        directory = self.folder / "project"
        directory.mkdir(exist_ok=True)
        services = [SERVICE.format(name=n, image=IMAGE, seconds=s) for n, s in (("web", seconds), ("db", 600))]
        (directory / "compose.yaml").write_text("\n".join(["services:", *services]))
        service = {"oneshot": False, "image": IMAGE, "restarts_with": []}
        project = {"directory": str(directory), "compose": ["compose.yaml"], "services": {"web": service, "db": service}}
        manifest = {"schema": 1, "settings": {"timing": {"wait": 30}}, "projects": {self.project: project}}
        (self.folder / "manifest.json").write_text(json.dumps(manifest))

    def verb(self, *words: str) -> dict[str, Any]:
        request = json.dumps({"run": "k3x9q2ab", "who": "ada", "origin": "laptop"})
        script = ["unshare", "-m", "env", f"T={self.folder}", "bash", "-c", NAMESPACE, "sh", "compose", *words]
        done = subprocess.run(script, input=request, capture_output=True, text=True, timeout=120)
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == answer.get("error", {}).get("exit", 0), done.stderr
        self.told = done.stderr.splitlines()
        return answer

    def changes(self) -> dict[str, tuple[str, str]]:
        return {s["service"]: (s["change"], s["why"]) for s in self.verb("plan", self.project)["services"]}

    def containers(self) -> dict[str, tuple[str, str]]:
        found = docker(
            "ps", "-a", "--filter", f"label=com.docker.compose.project={self.project}", "--no-trunc",
            "--format", '{{.Label "com.docker.compose.service"}} {{.ID}} {{.State}}',
        )  # fmt: skip
        return {line.split()[0]: (line.split()[1], line.split()[2]) for line in found.splitlines()}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if reason := no_engine():
        pytest.skip(reason)
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode or not shutil.which("jq"):
        pytest.skip("needs root and jq")
    found = Place(tmp_path)
    yield found
    for container, _ in found.containers().values():
        docker("rm", "-f", container)


def test_up_is_planned_and_makes_what_is_missing(place: Place) -> None:
    assert place.changes() == {"db": ("create", "new"), "web": ("create", "new")} and not (place.folder / "started").exists()
    assert place.verb("up", place.project, "web") == {"done": "up"}
    assert {name: state for name, (_, state) in place.containers().items()} == {"web": "running"}
    assert "--unit=nixos-rebuild-switch-to-configuration.service" in (place.folder / "started").read_text()
    assert any("Started" in line for line in place.told) and not (place.folder / "holder.left").exists()
    assert place.verb("up", place.project) == {"done": "up"}
    before = place.containers()
    assert set(before) == {"web", "db"} and {change for change, _ in place.changes().values()} == {"keep"}
    place.compose(seconds=601)
    assert place.changes()["web"] == ("recreate", "config")
    place.verb("up", place.project, "web")
    after = place.containers()
    assert after["db"] == before["db"] and after["web"][0] != before["web"][0] and after["web"][1] == "running"


def test_what_was_stopped_comes_back_and_down_keeps_nothing_running(place: Place) -> None:
    place.verb("up", place.project)
    docker("stop", "-t", "0", place.containers()["db"][0])
    assert place.changes()["db"] == ("recreate", "not running")
    place.verb("up", place.project)
    assert place.containers()["db"][1] == "running"
    assert place.verb("down", place.project) == {"done": "down"} and place.containers() == {}


def test_a_pull_says_what_it_could_not_have(place: Place) -> None:
    error = place.verb("pull", place.project, "web")["error"]
    assert error["exit"] == 12 and IMAGE in error["what"] and error["why"]


def test_what_the_release_does_not_have_is_refused(place: Place) -> None:
    assert place.verb("up", "foreign")["error"]["exit"] == 9
    assert "no service mail" in place.verb("up", place.project, "mail")["error"]["what"]
    assert place.verb("down", place.project, "web")["error"]["exit"] == 2
    assert place.verb("exec", place.project)["error"]["exit"] == 2 and not (place.folder / "started").exists()


def test_a_transaction_keeps_everybody_out(place: Place) -> None:
    (place.folder / "unit").write_text("active\n")
    (place.folder / "holder.json").write_text('{"run": "r1", "who": "bo", "origin": "ci", "kind": "deploy", "since": 0}')
    error = place.verb("up", place.project)["error"]
    assert (error["exit"], error["hint"]) == (7, "cockpit attach r1") and "bo on ci" in error["why"]
    (place.folder / "unit").write_text("inactive\n")
    (place.folder / "open").touch()
    assert "interrupted" in place.verb("down", place.project)["error"]["why"] and not (place.folder / "started").exists()


def test_a_compose_file_that_cannot_be_read_changes_nothing(place: Place) -> None:
    (place.folder / "project/compose.yaml").write_text("services: [")
    assert place.verb("plan", place.project)["error"]["exit"] == 4
    assert place.verb("up", place.project)["error"]["exit"] == 4 and place.containers() == {}
