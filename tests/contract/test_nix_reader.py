"""The account that plans pull requests: it is there where it has a key, and may do nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.contract.nixtree import evaluate, ship

pytestmark = pytest.mark.skipif(shutil.which("nix-instantiate") is None, reason="not installed: nix")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomelabExampleKeyThatOpensNothingAtAll"


def host(tree: Path, site: str, extra: str = "") -> dict[str, Any]:
    (tree / "nix/hosts/homelab/site.nix").write_text(
        f'{{ hostName = "homelab"; timeZone = "UTC"; admin = [ "{KEY} a" ]; deploy = [ "{KEY} b" ]; {site} }}'
    )
    done = evaluate(tree, "hosts", extra)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["homelab"])


def test_the_account_that_may_only_look(tmp_path: Path) -> None:
    tree = ship(tmp_path / "tree")
    made = host(tree, f'plan = [ "{KEY} ci" ];')
    user = made["users"]["users"]["cockpit-plan"]
    # `restrict`: no forwarding through the host, no terminal
    assert user["openssh"]["authorizedKeys"]["keys"] == [f"restrict {KEY} ci"]
    assert user["isNormalUser"] and user["extraGroups"] == []
    assert made["services"]["openssh"]["settings"]["AllowUsers"] == ["admin", "cockpit", "cockpit-plan"]
    assert "cockpit-plan" not in json.dumps(made.get("security", {}))
    # without a key, and on an image that cockpit does not deploy yet, there is no account
    assert "cockpit-plan" not in host(tree, "")["users"]["users"]
    assert "cockpit-plan" not in host(tree, f'plan = [ "{KEY} ci" ];', "homelab.firstBoot = true;")["users"]["users"]
