"""The workflows of .github: what linters say of them, and rules that no linter has. Each is shown to fail on a broken copy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.paths import TOP

BIN = Path(sys.executable).parent
FOLDER = TOP / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
NAMES = [path.name for path in FILES]

LINTERS: dict[str, tuple[str, ...]] = {
    "actionlint": ("actionlint", "-no-color"),
    "zizmor": ("zizmor", "--offline", "--no-progress", "--no-config", "--persona", "pedantic", "--color", "never"),
    "schema": ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
    "act": ("act", "--validate", "--strict", "-W"),
}

BROKEN: dict[str, tuple[str, str]] = {
    "actionlint": ("runs-on: ubuntu-24.04", "runs-on: ubuntu-1.04"),
    "zizmor": ("          persist-credentials: false\n", ""),
    "schema": ("permissions: {}", "permissions: everything"),
    "act": ("    steps:", "    step:"),
}
"""What each linter is there to find."""


def lint(linter: str, path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *options = LINTERS[linter]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
    environment = {k: v for k, v in environment.items() if not k.startswith("GITHUB_")}  # zizmor would ask GitHub
    argv = [str(BIN / program), *options, str(path)]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def load(text: str) -> dict[str, Any]:
    data = YAML(typ="safe", pure=True).load(text)
    assert isinstance(data, dict)
    return data


def steps(text: str) -> list[dict[str, Any]]:
    return [step for job in load(text)["jobs"].values() for step in job["steps"]]


# ---- rules: each answers with what is wrong ----------------------------------------------------------------------------------


def unpinned(text: str) -> list[str]:
    """Actions are pinned by commit, and the comment names the version that the commit is."""
    pinned = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    return [line.strip() for line in text.splitlines() if "uses:" in line and not pinned.search(line.rstrip())]


def permissive(text: str) -> list[str]:
    """Nothing is allowed that a job does not ask for by itself, and no job asks for everything."""
    data = load(text)
    found = [] if data.get("permissions") == {} else [f"permissions of the workflow: {data.get('permissions')}"]
    return found + [name for name, job in data["jobs"].items() if not isinstance(job.get("permissions"), dict)]


def spliced(text: str) -> list[str]:
    """What comes from outside reaches a script through the environment only: an expression is pasted into it as code."""
    return [step["run"] for step in steps(text) if "${{" in step.get("run", "")]


def endless(text: str) -> list[str]:
    return [name for name, job in load(text)["jobs"].items() if "timeout-minutes" not in job]


def credentials(text: str) -> list[str]:
    """A checkout leaves no token behind, whatever runs after it."""
    return [
        str(step)
        for step in steps(text)
        if str(step.get("uses", "")).startswith("actions/checkout@")
        and (step.get("with") or {}).get("persist-credentials") is not False
    ]


def trusting(text: str) -> list[str]:
    """A key that is asked for on the way is nobody's."""
    return [word for word in ("ssh-keyscan", "StrictHostKeyChecking", "accept-new", "pull_request_target") if word in text]


def told_in_arguments(text: str) -> list[str]:
    """Secrets are values of `env:` and `with:`, never of a script or an argument."""
    return [step["run"] for step in steps(text) if "secrets." in step.get("run", "")]


Rule = Callable[[str], list[str]]
RULES: list[tuple[Rule, str, str]] = [
    (unpinned, " # v7.0.1", ""),
    (unpinned, "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    (permissive, "permissions: {}", "permissions: read-all"),
    (permissive, "    permissions:\n      contents: read\n      id-token: write #", "    #"),
    (spliced, 'cockpit" "$ACTION"', 'cockpit" ${{ inputs.action }}'),
    (endless, "    timeout-minutes: 60\n", ""),
    (credentials, "          persist-credentials: false\n", ""),
    (trusting, "printf '%s\\n' \"$KNOWN_HOSTS\"", 'ssh-keyscan "$HOST"'),
    (told_in_arguments, "printf '%s\\n' \"$DEPLOY_SSH_KEY\"", "echo ${{ secrets.DEPLOY_SSH_KEY }}"),
]


def test_there_are_workflows() -> None:
    assert {"ci.yml", "deploy.yml"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("linter", LINTERS)
def test_a_workflow_passes(linter: str, name: str, tmp_path: Path) -> None:
    done = lint(linter, FOLDER / name, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds(linter: str, tmp_path: Path) -> None:
    text = (FOLDER / "deploy.yml").read_text()
    good, bad = BROKEN[linter]
    assert good in text
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "deploy.yml").write_text(text.replace(good, bad))
    assert lint(linter, folder / "deploy.yml", tmp_path).returncode != 0


@pytest.mark.parametrize("rule", {rule for rule, _, _ in RULES}, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_keeps_the_rule(rule: Rule, name: str) -> None:
    assert rule((FOLDER / name).read_text()) == []


@pytest.mark.parametrize(("rule", "good", "bad"), RULES)
def test_a_rule_finds(rule: Rule, good: str, bad: str) -> None:
    text = (FOLDER / "deploy.yml").read_text()
    assert good in text
    assert rule(text.replace(good, bad, 1)) != []


@pytest.mark.parametrize("name", [name for name in NAMES if "Install cockpit" in (FOLDER / name).read_text()])
def test_where_cockpit_comes_from_is_one_line(name: str, tmp_path: Path) -> None:
    """The line that `cockpit init` writes anew; what it makes of the file is as good."""
    text = (FOLDER / name).read_text()
    assert text.count("\n  COCKPIT: .\n") == text.count("COCKPIT:") == 1
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / name).write_text(text.replace("\n  COCKPIT: .\n", "\n  COCKPIT: cockpit-homelab==1.2.3\n"))
    for linter in LINTERS:
        assert lint(linter, folder / name, tmp_path).returncode == 0


def test_what_a_release_is_made_of_starts_a_deploy() -> None:
    """A push of anything that cockpit.yaml names must deploy."""
    data = YAML(typ="safe", pure=True).load((FOLDER / "deploy.yml").read_text())
    paths = set(data["on"]["push"]["paths"])
    settings = load((TOP / "cockpit.yaml").read_text())
    sources = {project["source"] for project in settings["projects"].values()}
    secrets = {secret["file"] for project in settings["projects"].values() for secret in (project.get("secrets") or {}).values()}
    flakes = {host["flake"].partition("#")[0] for host in settings["hosts"].values()}
    for path in {"cockpit.yaml", *sources, *secrets, *flakes}:
        assert path in paths or f"{path.split('/')[0]}/**" in paths, path
