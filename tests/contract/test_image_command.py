"""`cockpit image`, from the words of the command line to a template: everything real but nix and the cluster."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit import wiring
from cockpit.cli import parser
from cockpit.cli.main import run
from cockpit.cli.output import Pipe
from cockpit.domain.errors import Exit
from tests.contract.pve import TOKEN, TOKEN_ID
from tests.standin.cluster import Cluster, serving

UPLOAD = ("image", "upload", "--node", "pve1", "--storage", "local-lvm", "--vmid", "9001", "--name", "nixos", "--image")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def homelab(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PVE_SECRET", TOKEN)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    folder = tmp_path / "homelab"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "cockpit.yaml").write_text(
        "version: 1\nhosts:\n  homelab: {address: 192.0.2.1, flake: nix#homelab}\nclusters:\n  home:\n"
        f"    addresses: ['{cluster.address}']\n    user: {TOKEN_ID}\n    secret: {{env: PVE_SECRET}}\n"
        f"    fingerprint: '{cluster.fingerprint}'\n"
    )
    (folder / "homelab.qcow2").write_bytes(b"QFI\xfb" + b"\0" * 100_000)
    return folder


def cli(homelab: Path, *words: str) -> tuple[Exit, str]:
    args = parser.build("0").parse_args([*words, "--config", str(homelab / "cockpit.yaml")])
    out = io.StringIO()
    code = run(args, lambda args: wiring.open_cockpit(config=args.config, headless=True), Pipe(out))
    return code, out.getvalue()


def test_the_plan_is_shown_and_done_with_a_yes(homelab: Path, cluster: Cluster) -> None:
    code, text = cli(homelab, *UPLOAD, str(homelab / "homelab.qcow2"))
    assert code is Exit.REFUSED and "--yes" in text
    assert "Make the template nixos of homelab in home" in text and "import-from=local:import/" in text
    assert cluster.guest("nixos") is None

    code, text = cli(homelab, *UPLOAD, str(homelab / "homelab.qcow2"), "--yes")
    assert code is Exit.DONE, text
    assert cluster.guest("nixos").template
    assert [line.split()[2] for line in text.splitlines() if " … " in line] == ["send", "send", "create", "convert"]
    assert '"template": "nixos" in tofu/homelab.auto.tfvars.json' in text
    assert TOKEN not in text

    code, text = cli(homelab, *UPLOAD, str(homelab / "homelab.qcow2"), "--yes")
    assert code is Exit.REFUSED and "home/9001 exists: nixos" in text and "--replace" in text
    code, text = cli(homelab, *UPLOAD, str(homelab / "homelab.qcow2"), "--yes", "--replace")
    assert code is Exit.DONE, text


def test_for_programs(homelab: Path, cluster: Cluster) -> None:
    code, text = cli(homelab, *UPLOAD, str(homelab / "homelab.qcow2"), "--yes", "--output", "json")
    events = [json.loads(line) for line in text.splitlines()]
    assert code is Exit.DONE
    assert [event["event"] for event in events if event["event"] in ("Operation", "Outcome")] == ["Operation", "Outcome"]
    assert events[-1]["result"] == "done" and events[-1]["hosts"][0]["host"] == "home/9001"


def test_what_was_not_said(homelab: Path) -> None:
    assert "is no qcow2" in cli(homelab, *UPLOAD, str(homelab / "cockpit.yaml"), "--yes")[1]
    assert "--image and --commit" in cli(homelab, *UPLOAD, "x", "--commit", "HEAD")[1]
    code, text = cli(homelab, "image", "build", "nowhere")
    assert code is Exit.USAGE and "there is no host 'nowhere'" in text
    code, text = cli(homelab, "image", "build")
    assert code is Exit.USAGE and "HEAD" in text, "there is no commit yet"
    (homelab / "cockpit.yaml").write_text("version: 1\nhosts:\n  a: {address: 192.0.2.1}\n  b: {address: 192.0.2.2}\n")
    assert "which host?" in cli(homelab, "image", "build")[1]
