"""docs/provisioning.md from its first line to its last, in a homelab of one's own: `cockpit init`, a template, a guest.

The provider and the cluster are stand-ins (tests/standin), the image is a file that looks like one; all else is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import tofu as program
from scripts.paths import TOP
from tests.standin.cluster import Cluster, serving
from tests.standin.run import Tofu
from tests.standin.tailnet import Policy

pytestmark = pytest.mark.timeout(2400)  # the first of them may have to build OpenTofu
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvZ3VzYm9ndXNib2d1c2JvZ3VzYm9ndXNib2d1c2Jv ada@example.org\n"
SECRETS = {
    "tofu-token-id": "tofu@pve!box",
    "tofu-token-secret": "0b9f4c1e-6f0e-4b52-9d0a-2f7a54e1c111",
    "proxmox-token-secret": "4f1d7b9a-2c3e-4d5f-8a9b-0c1d2e3f4a5b",
}
USER = "cockpit@pve!cockpit"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := program.why_not():
        pytest.skip(reason)
    with serving(tmp_path) as found:
        found.admit(USER, SECRETS["proxmox-token-secret"])
        yield found


@pytest.fixture
def environ(tmp_path: Path, cluster: Cluster) -> dict[str, str]:
    """A person who has nothing yet; the cluster's authority is one of the system's."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SOPS_", "GIT_", "GITHUB_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(TOP), "SSL_CERT_FILE": cluster.certificate, "GIT_CONFIG_NOSYSTEM": "1"}


def cockpit(environ: dict[str, str], cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cockpit", *words], cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_from_nothing_to_a_guest(tmp_path: Path, cluster: Cluster, environ: dict[str, str]) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name, value in (*SECRETS.items(), ("key", KEY)):
        (given / name).write_text(value)
    made = cockpit(
        environ, tmp_path, "init", "mine", "--yes", "--host", "box", "--domain", "home.example.org", "--email", "ada@example.org",
        "--ssh-key", given / "key", "--author", "Ada <ada@example.org>", "--proxmox", f"https://{cluster.address}",
        "--node", "pve1", "--template", "box-template", "--vmid", "150", "--i-stored-the-recovery-key",
        *(word for name in SECRETS for word in ("--set", f"{name}=@{given / name}")),
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    mine = tmp_path / "mine"

    policy = Policy((mine / "tofu" / "tailnet" / "policy.hujson").read_text())
    assert policy.failures() == [] and policy.allows("ada@example.org", "tag:homelab", 443)

    # the step that its README names; here with a file instead of a build
    assert "cockpit image upload --yes" in made.stdout
    (tmp_path / "box.qcow2").write_bytes(b"QFI\xfb" + bytes(100_000))
    sent = cockpit(environ, mine, "image", "upload", "--yes", "--image", tmp_path / "box.qcow2")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    template = cluster.guest("box-template")
    assert template.template and template.vmid == 9001

    identity = tmp_path / "home" / ".config" / "sops" / "age" / "keys.txt"
    with Tofu(mine / "tofu", cluster, tmp_path / "work", identity=identity) as tofu:
        tofu.init()
        applied = tofu.apply()
        assert applied.code == 0, applied.errors
        guest = cluster.guest("box")
        assert (guest.vmid, guest.node, guest.status) == (150, "pve1", "running")
        assert guest.config["scsi0"].startswith("local-lvm:vm-150-disk-")
        assert tofu.plan().code == 0

    # and cockpit sees it, as the guest that the host is
    seen = cockpit(environ, mine, "guests", "--output", "json")
    assert {150, 9001} <= {json.loads(line)["vmid"] for line in seen.stdout.splitlines() if '"vmid"' in line}
    left = subprocess.run(["git", "status", "--porcelain"], cwd=mine, env=environ, capture_output=True, text=True, check=True)
    assert left.stdout == "", "nothing was left in the homelab"
