"""Who asks, from where, and that a Cockpit can be put together without connecting to anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit import wiring
from cockpit.domain.settings import UserSettings

CI = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "ada/homelab",
    "GITHUB_RUN_ID": "42",
    "GITHUB_ACTOR": "ada-ci",
}


def test_ci_runs_carry_their_url() -> None:
    assert wiring.where(CI) == "https://github.com/ada/homelab/actions/runs/42"
    assert "://" not in wiring.where({})


def test_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert wiring.who_asks(UserSettings(who="eve"), tmp_path, CI) == "eve"
    assert wiring.who_asks(UserSettings(), tmp_path, CI) == "ada-ci"
    assert wiring.who_asks(UserSettings(), tmp_path, {})
    (tmp_path / ".gitconfig").write_text('[user]\n\tname = Ada Lovelace\n[alias]\n\tx = "!echo"\n')
    assert wiring.who_asks(UserSettings(), tmp_path, {}) == "Ada Lovelace"


async def test_a_cockpit_is_put_together_without_connecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "cockpit.yaml"
    file.write_text("version: 1\nhosts:\n  alpha:\n    address: 192.0.2.1\n")
    cockpit = wiring.open_cockpit(config=str(file), headless=True, approve_hosts=["alpha"])
    assert list(cockpit.fleet.hosts) == list(cockpit.fleet.services) == ["alpha"]
    assert cockpit.gate.headless and not (tmp_path / "state").exists()
    await cockpit.close()
    assert "1 host" in wiring.check(str(file)) and '"hosts"' in wiring.schema()
