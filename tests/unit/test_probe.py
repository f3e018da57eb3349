"""The probe itself: on this machine, and on folders that look like a host's."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters.nixos.parse import facts_from
from cockpit.domain.hosts import HostFacts
from tests.unit.test_probe_parse import HOLD, NOW, C, attempt, store


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@pytest.mark.parametrize("depth", ["quick", "deep"])
def test_the_probe_itself_runs_here(shell: str, depth: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    script = resources.files("cockpit.adapters.nixos").joinpath("probe.sh").read_bytes()
    subprocess.run([shell, "-n"], input=script, check=True, capture_output=True)
    done = subprocess.run([shell, "-s", depth], input=script, check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    facts = facts_from("here", done.stdout, NOW)
    assert facts.host_time > NOW and facts.profile_generation is None
    assert (facts.uptime is not None) is (depth == "deep")
    assert bool(facts.disks) is (depth == "deep")


class Place:
    """A host's folders below one folder, and the probe that reads them there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        script = resources.files("cockpit.adapters.nixos").joinpath("probe.sh").read_text()
        for path in (
            "/nix/var/nix/profiles",
            "/var/lib/cockpit",
            "/run/current-system",
            "/run/booted-system",
            "/run/cockpit",
            "/boot",
        ):
            script = script.replace(path, f"{root}{path}")
        self.script = script.encode()
        for folder in ("nix/var/nix/profiles", "var/lib/cockpit/attempts", "boot/loader/entries", "run"):
            (root / folder).mkdir(parents=True)

    def generation(self, number: int) -> None:
        (self.root / f"nix/var/nix/profiles/system-{number}-link").symlink_to(store("0"))

    def attempt(self, seq: int, **more: Any) -> None:  # noqa: ANN401 - JSON
        folder = self.root / f"var/lib/cockpit/attempts/{seq:06}-run{seq:05}"
        folder.mkdir()
        for name, data in zip(("intent.json", "outcome.json"), attempt(seq, **more), strict=True):
            if data is not None:
                (folder / name).write_text(json.dumps(data) + "\n")
        (folder / "decision").symlink_to("confirmed")

    def read(self, depth: str) -> HostFacts:
        done = subprocess.run(["sh", "-s", depth], input=self.script, check=True, capture_output=True, timeout=60)
        assert done.stderr == b""
        return facts_from("alpha", done.stdout, NOW)


@pytest.mark.parametrize("depth", ["quick", "deep"])
def test_a_hold_stays_however_many_attempts_have_failed_since(tmp_path: Path, depth: str) -> None:
    place = Place(tmp_path)
    place.attempt(1)
    place.attempt(2, kind="rollback", hold=HOLD)
    for seq in range(3, 220):
        place.attempt(seq, result="reverted")
    facts = place.read(depth)
    assert facts.hold is not None and facts.hold.abandoned == (C,) and facts.hold.run == "run00002"
    assert [a.seq for a in facts.attempts[:2]] == [219, 218]
    place.attempt(220, kind="resume")
    assert place.read(depth).hold is None


def test_a_host_with_a_long_history_is_read_fast(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(1, 51):
        place.generation(number)
    for seq in range(1, 301):
        place.attempt(seq)
    began = time.monotonic()
    facts = place.read("deep")
    assert (len(facts.generations), len(facts.attempts), facts.attempts[0].seq) == (50, 200, 300)
    assert facts.attempts[0].decision == "confirmed"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["nixos-generation-7.conf", "nixos-generation-7"])
def test_the_boot_default_of_systemd_boot(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path)
    (tmp_path / "boot/loader/loader.conf").write_text(f"timeout 3\ndefault {name}\n")
    for number, letter in ((7, "1"), (8, "2")):
        entry = f"title NixOS\nlinux /EFI/nixos/k.efi\noptions init={store(letter)}/init loglevel=4\n"
        (tmp_path / f"boot/loader/entries/nixos-generation-{number}.conf").write_text(entry)
    assert place.read("quick").boot_default == store("1")


def test_the_boot_default_of_the_lab(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "boot/loader/default").write_text(f"{store('3')}\n")
    assert place.read("quick").boot_default == store("3")
