"""Runs a homelab's workflows as GitHub would, on this machine: act, with stand-ins for what only GitHub and the network have.

`actions/checkout` is act's own: a copy of the work tree. Every other action is replaced by one that does nothing but say what it was
given; the one that installs uv brings a `uv` that makes the cockpit of this checkout a command. What runs is the workflow as it
stands, its shell code, and cockpit. Not enforced by act: paths, concurrency, environments, permissions, identity tokens.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.lab.homelab import TOP

OWN = ("actions/checkout",)
"""What act does by itself."""

COCKPIT = """\
#!/bin/sh
exec env PYTHONPATH={top} {python} -m cockpit "$@"
"""

UV = """\
#!/usr/bin/env bash
# Stand-in of uv without a network: knows `venv DIR` and `pip install`; the environment it makes has this checkout's cockpit.
set -euo pipefail
printf '%s\\n' "$*" >>{log}
case $1 in
  venv)
    folder=${{!#}}
    mkdir -p "$folder/bin"
    cp {cockpit} "$folder/bin/cockpit"
    chmod 755 "$folder/bin/cockpit"
    ;;
  pip)
    while [ $# -gt 0 ]; do
      if [ "$1" = -r ]; then [ -s "$2" ] || {{ echo "there is no $2" >&2; exit 2; }}; fi
      shift
    done
    ;;
  *) echo "this stand-in does not know: $*" >&2; exit 2 ;;
esac
"""


def _actions(workflow: Path) -> dict[str, set[str]]:
    """NAME@REF of each action of a workflow, with the names of what it is given."""
    found: dict[str, set[str]] = {}
    for job in YAML(typ="safe", pure=True).load(workflow.read_text())["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                found.setdefault(step["uses"], set()).update(step.get("with") or {})
    return found


@dataclass(frozen=True)
class Job:
    """What became of a run. `messages` is act's own log, one JSON object a line."""

    code: int
    messages: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def results(self) -> dict[str, str]:
        """`success` or `failure` of each job that ran, by id. A job whose `if:` said no is not in it."""
        return {str(m["jobID"]): str(m["jobResult"]) for m in self.messages if "jobResult" in m}

    @property
    def succeeded(self) -> bool:
        return self.code == 0 and set(self.results.values()) == {"success"}

    @property
    def steps(self) -> dict[str, str]:
        """Result of each step, by its name."""
        return {str(m["step"]): str(m["stepResult"]) for m in self.messages if m.get("stage") == "Main" and "stepResult" in m}

    @property
    def outputs(self) -> dict[str, str]:
        return {str(m["name"]): str(m["arg"]) for m in self._commands("set-output")}

    @property
    def summary(self) -> str:
        return "".join(str(m["content"]) for m in self._commands("summary"))

    @property
    def groups(self) -> list[str]:
        return [str(m["arg"]) for m in self._commands("group")]

    @property
    def errors(self) -> list[tuple[str, str]]:
        """(title, message) of error annotations."""
        return self._annotations("error")

    @property
    def warnings(self) -> list[tuple[str, str]]:
        return self._annotations("warning")

    @property
    def commands(self) -> set[str]:
        """Every workflow command that was obeyed. One that was given behind `stop-commands` is `ignored`."""
        return {str(m["command"]) for m in self.messages if "command" in m}

    @property
    def text(self) -> str:
        """What the steps printed."""
        return "".join(str(m.get("raw", m["msg"])) for m in self.messages if m.get("raw_output") or "raw" in m)

    @property
    def log(self) -> str:
        """Everything, for the message of a failed assertion."""
        return "\n".join(str(m.get("msg", "")).rstrip() for m in self.messages)

    def _commands(self, name: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m.get("command") == name]

    def _annotations(self, kind: str) -> list[tuple[str, str]]:
        return [(str((m.get("kvPairs") or {}).get("title", "")), str(m["arg"])) for m in self._commands(kind)]


@dataclass
class Act:
    """A repository with workflows; `folder` is a place of its own for the run's files."""

    repository: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    workflow: str = "deploy.yml"
    actor: str = "ada"
    programs: dict[str, str] = field(default_factory=dict)
    """More stand-ins on PATH: name -> script."""
    cockpit: str = field(default_factory=lambda: COCKPIT.format(top=TOP, python=sys.executable))
    """The program that is installed; a script."""
    environment: dict[str, str] = field(default_factory=dict)
    """What the machine has set."""

    @property
    def installs(self) -> list[str]:
        """What `uv` was asked, one line a call."""
        return self._uv_log.read_text().splitlines() if self._uv_log.exists() else []

    def push(self) -> Job:
        return self._run("push", {})

    def dispatch(self, **inputs: str) -> Job:
        return self._run("workflow_dispatch", {"inputs": inputs})

    def event(self, name: str, payload: dict[str, Any]) -> Job:
        return self._run(name, payload)

    @property
    def _uv_log(self) -> Path:
        return self.folder / "uv.log"

    def _run(self, event: str, payload: dict[str, Any]) -> Job:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload))
        home = self.folder / "home"  # without keys and without an ssh configuration: the agent is the only way in
        home.mkdir(exist_ok=True)
        workflow = self.repository / ".github/workflows" / self.workflow
        argv = [str(Path(sys.executable).parent / "act"), event, "-C", str(self.repository), "-W", str(workflow)]
        argv += [
            "-P",
            "ubuntu-24.04=-self-hosted",
            "--no-cache-server",
            "--json",
            "--actor",
            self.actor,
            "--eventpath",
            str(file),
        ]
        for option in ("--env-file", "--secret-file", "--var-file", "--input-file"):
            argv += [option, os.devnull]  # else act reads .env and the like of where it stands
        for name, value in (payload.get("inputs") or {}).items():
            argv += ["--input", f"{name}={value}"]
        secrets = {"GITHUB_TOKEN": "for-nobody", **self.secrets}
        for option, pairs in (("--var", self.variables), ("-s", secrets)):
            argv += [word for name, value in pairs.items() for word in (option, f"{name}={value}")]
        for action, inputs in _actions(workflow).items():
            name = action.partition("@")[0]
            if name not in OWN:
                argv += ["--local-repository", f"{action}={self._stand_in(name, inputs)}"]
        dropped = ("GITHUB_", "XDG_", "SSH_", "COCKPIT_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        environment |= {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        done = subprocess.run(
            argv,
            env=environment | self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        messages = tuple(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
        if not messages and done.returncode != 0:
            raise AssertionError(f"act ran nothing: {done.stdout}{done.stderr}")
        return Job(done.returncode, messages)

    @property
    def artifacts(self) -> Path:
        """Where uploads go: a folder for each name."""
        return self.folder / "artifacts"

    def _stand_in(self, name: str, inputs: set[str]) -> Path:
        """An action that prints what it was given; that of uv also brings one, that of uploads keeps the file."""
        folder = self.folder / "actions" / name.replace("/", "+")
        folder.mkdir(parents=True, exist_ok=True)
        script = ['echo "stand-in of $ACTION: $INPUTS"']
        if name.endswith("/setup-uv"):
            tools = self.folder / "tools"
            tools.mkdir(exist_ok=True)
            (self.folder / "cockpit").write_text(self.cockpit)
            names = {"log": shlex.quote(str(self._uv_log)), "cockpit": shlex.quote(str(self.folder / "cockpit"))}
            for program, text in {"uv": UV.format(**names), **self.programs}.items():
                (tools / program).write_text(text)
                (tools / program).chmod(0o755)
            script.append(f'echo {shlex.quote(str(tools))} >>"$GITHUB_PATH"')
        if name.endswith("/upload-artifact"):
            target = shlex.quote(str(self.artifacts))
            script.append(
                f"""folder={target}/$(jq -r .name <<<"$INPUTS"); mkdir -p "$folder"; cp "$(jq -r .path <<<"$INPUTS")" "$folder/" """
            )
        step = {"shell": "bash", "env": {"ACTION": name, "INPUTS": "${{ toJSON(inputs) }}"}, "run": "\n".join(script)}
        action = {
            "name": "stand-in",
            "description": name,
            "inputs": {key: {"description": key, "required": False} for key in sorted(inputs)},
            "runs": {"using": "composite", "steps": [step]},
        }
        (folder / "action.yml").write_text(json.dumps(action))
        return folder
