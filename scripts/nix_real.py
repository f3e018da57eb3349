"""The shipped flake against the real nixpkgs, disko and sops-nix, down to the derivations: `make nix-real COCKPIT_NIX_REAL=DIR`.

DIR has the folders nixpkgs, disko and sops-nix (checkouts; any commit near those of nix/flake.lock). They are not part of this
repository and not fetched here, so this is no test of `make test`, which has typed options of its own
(tests/contract/test_nix_hosts.py).
Nothing is built. Needs a nix that nixpkgs still takes (2.18 or newer).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.paths import TOP, tracked

PARTS = ("nix", "compose", "secrets", "cockpit", "cockpit.yaml", "pyproject.toml", "README.md", "LICENSE", ".sops.yaml")
SYSTEM = 'tailscale: {auth-key: "ENC[x]"}\nbackup: {password: "ENC[x]", repository: "ENC[x]", environment: "ENC[x]"}\n'


def copy(target: Path) -> Path:
    """The tree as git has it, with secrets of its own for the host."""
    for path in tracked():
        name = path.relative_to(TOP)
        if name.parts[0] in PARTS:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)
    for host in (target / "nix/hosts").iterdir():
        (target / "secrets" / host.name).mkdir(parents=True, exist_ok=True)
        (target / "secrets" / host.name / "system.yaml").write_text(SYSTEM)
    return target


def evaluate(tree: Path, real: Path) -> dict[str, Any]:
    """What nix_real.nix says; its complaints go to standard error."""
    argv = ["nix-instantiate", "--eval", "--strict", "--json", str(TOP / "scripts/nix_real.nix")]
    argv += ["--arg", "tree", str(tree), "--arg", "real", str(real)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False, timeout=1200)
    if done.returncode != 0:
        sys.exit("the shipped flake does not evaluate with them")
    return dict(json.loads(done.stdout))


def complaints(name: str, host: dict[str, Any]) -> list[str]:
    """What is not as docs/host.md says."""
    wanted = {
        "warnings": [],
        "tcp": [],
        "trusted": ["lo"],
        "imageFile": f"{name}.qcow2",
        "root": "/dev/disk/by-partlabel/disk-main-root",
        "backup": "/run/secrets/backup/repository",
        "revision": "0123456789" * 4,
    }
    found = [f"{name}: {key} is {host[key]!r}, not {value!r}" for key, value in wanted.items() if host[key] != value]
    if sorted(host["tailnet"]) != [22, 443]:
        found.append(f"{name}: open to the tailnet: {host['tailnet']}")
    if host["ssh"]["PasswordAuthentication"] is not False or host["ssh"]["PermitRootLogin"] != "no":
        found.append(f"{name}: sshd takes passwords, or root")
    if host["daemon"].get("ip") != "127.0.0.1" or host["daemon"].get("live-restore") is not True:
        found.append(f"{name}: the engine publishes everywhere, or stops its containers")
    return found


def main() -> int:
    named = os.environ.get("COCKPIT_NIX_REAL", "")
    real = Path(named)
    missing = [part for part in ("nixpkgs", "disko", "sops-nix") if not (real / part / "flake.nix").is_file()]
    if not named or missing:
        what = ", ".join(missing)
        print(f"COCKPIT_NIX_REAL is to name a folder with nixpkgs, disko and sops-nix; missing: {what}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate(copy(Path(folder).resolve()), real.resolve())
    for name, host in found["hosts"].items():
        print(f"{name}: {host['toplevel']}\n{name}: {host['image']} ({host['imageFile']})")
    print(*(found[key] for key in ("program", "shell", "formatter")), sep="\n")
    wrong = [line for name, host in found["hosts"].items() for line in complaints(name, host)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
