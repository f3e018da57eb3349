"""Runs a homelab's workflows as GitHub would, on this machine: act, with stand-ins for what only GitHub and the network have.

`actions/checkout` is act's own: a copy of the work tree. Every other action is replaced by one that does nothing but say what it was
given; the one that installs uv brings a `uv` that makes the cockpit of this checkout a command. What runs is the workflow as it
stands, its shell code, and cockpit. Not enforced by act: paths, concurrency, environments, permissions, identity tokens.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.homelab import TOP

USES = re.compile(r"^\s*(?:-\s+)?uses:\s*([\w.-]+/[\w./-]+)@([0-9a-f]{40})\b", re.MULTILINE)
OWN = ("actions/checkout",)
"""What act does by itself."""

STAND_IN = """\
name: stand-in
description: says what it was given
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        echo "stand-in of {name}"
        {script}
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
    printf '#!/bin/sh\\nexec env PYTHONPATH={top} {python} -m cockpit "$@"\\n' >"$folder/bin/cockpit"
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
        for option, pairs in (("--var", self.variables), ("-s", self.secrets)):
            argv += [word for name, value in pairs.items() for word in (option, f"{name}={value}")]
        for name, ref in sorted(set(USES.findall(workflow.read_text()))):
            if name not in OWN:
                argv += ["--local-repository", f"{name}@{ref}={self._stand_in(name)}"]
        dropped = ("GITHUB_", "XDG_", "SSH_", "COCKPIT_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        environment |= {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        done = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL
        )
        messages = tuple(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
        if not messages and done.returncode != 0:
            raise AssertionError(f"act ran nothing: {done.stdout}{done.stderr}")
        return Job(done.returncode, messages)

    def _stand_in(self, name: str) -> Path:
        """An action that prints its inputs; that of uv also brings one."""
        folder = self.folder / "actions" / name.replace("/", "+")
        folder.mkdir(parents=True, exist_ok=True)
        script = "env | grep '^INPUT_' || true"
        if name.endswith("/setup-uv"):
            tools = self.folder / "tools"
            tools.mkdir(exist_ok=True)
            names = {"log": shlex.quote(str(self._uv_log)), "top": str(TOP), "python": sys.executable}
            for program, text in {"uv": UV.format(**names), **self.programs}.items():
                (tools / program).write_text(text)
                (tools / program).chmod(0o755)
            script += f'\n        echo {shlex.quote(str(tools))} >>"$GITHUB_PATH"'
        (folder / "action.yml").write_text(STAND_IN.format(name=name, script=script))
        return folder
