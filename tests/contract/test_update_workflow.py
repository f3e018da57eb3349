"""update.yml, run by act: what an update finds becomes one pull request, and the next week's goes into the same one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cockpit.cli import parser
from scripts.paths import TOP
from tests.lab.act import Act

COCKPIT = """\
#!/bin/sh
# Stand-in of `cockpit update`: $FOUND says what there is.
set -e
[ "$*" = "update --flake --images --build --report $RUNNER_TEMP/report.md" ] || { echo "not asked like this: $*" >&2; exit 2; }
[ -z "$GH_TOKEN" ] || { echo "the token is for the last step only" >&2; exit 1; }
[ -n "$FOUND" ] || exit 0
[ "$FOUND" != broken ] || exit 4
echo "### $FOUND" >"$RUNNER_TEMP/report.md"
echo "$FOUND" >nix/flake.lock
echo "$FOUND" >compose/core/compose.lock.yaml
echo rubbish >left-behind
exit 10
"""

GH = """\
#!/usr/bin/env bash
# Stand-in of GitHub's command line: one pull request in a folder.
set -euo pipefail
folder={folder}
printf '%s\\n' "$*" >>$folder/gh.log
[ "$GH_TOKEN" = for-nobody ] || exit 4
body=
for word in "$@"; do [ "$last" != --body-file ] || body=$word; last=$word; done
case "$1 $2" in
  "auth setup-git") git config --global url."$folder/github/".insteadOf https://github.com/ ;;
  "pr list") [ ! -e $folder/pull-request.md ] || echo 3 ;;
  "pr create") [ ! -e $folder/pull-request.md ]; cp "$body" $folder/pull-request.md ;;
  "pr edit") [ "$3" = 3 ]; cp "$body" $folder/pull-request.md ;;
  *) exit 2 ;;
esac
"""


def git(folder: Path, *args: str) -> str:
    env = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null"}
    argv = ["git", "-C", str(folder), "-c", "user.name=ada", "-c", "user.email=ada@example.org", *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env, timeout=30).stdout.strip()


@pytest.fixture
def act(tmp_path: Path) -> Act:
    repository = tmp_path / "homelab"
    for name in (".github/workflows/update.yml", "requirements/run.txt", "requirements/build.txt"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text((TOP / name).read_text())
    for name in ("nix/flake.lock", "compose/core/compose.yaml"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("old\n")
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "homelab")
    git(repository, "remote", "add", "origin", "https://github.com/ada/homelab.git")
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "github/ada/homelab"))
    programs = {"gh": GH.format(folder=tmp_path).replace("body=\n", "body= last=\n")}
    return Act(repository, tmp_path / "act", workflow="update.yml", programs=programs, cockpit=COCKPIT)


def test_the_stand_in_is_asked_what_cockpit_knows() -> None:
    args = parser.build("0").parse_args(["update", "--flake", "--images", "--build", "--report", "report.md"])
    assert args.flake and args.images and args.build and args.report == "report.md"


def test_what_is_new_becomes_one_pull_request(act: Act, tmp_path: Path) -> None:
    act.environment["FOUND"] = "nixpkgs moved"
    job = act.dispatch()
    assert job.succeeded, job.log
    assert (tmp_path / "pull-request.md").read_text() == "### nixpkgs moved\n"
    pushed = tmp_path / "github/ada/homelab"
    assert git(pushed, "show", "cockpit/update:nix/flake.lock") == "nixpkgs moved"
    changed = git(pushed, "show", "--name-only", "--format=%an", "cockpit/update").split()
    assert changed == ["github-actions[bot]", "compose/core/compose.lock.yaml", "nix/flake.lock"]
    # a week later: the same branch, the same pull request, made anew from main
    act.environment["FOUND"] = "traefik moved"
    job = act.dispatch()
    assert job.succeeded, job.log
    assert (tmp_path / "pull-request.md").read_text() == "### traefik moved\n"
    assert git(pushed, "rev-list", "--count", "cockpit/update") == "2"
    log = (tmp_path / "gh.log").read_text()
    assert log.count("pr create") == 1 and log.count("pr edit 3") == 1


def test_nothing_new_is_no_pull_request(act: Act, tmp_path: Path) -> None:
    job = act.dispatch()
    assert job.succeeded, job.log
    assert job.outputs == {"changed": "false"}
    assert not (tmp_path / "gh.log").exists()


def test_an_update_that_fails_is_no_pull_request(act: Act, tmp_path: Path) -> None:
    act.environment["FOUND"] = "broken"
    assert act.dispatch().results == {"update": "failure"}
    assert not (tmp_path / "gh.log").exists()
