"""`cockpit update` with the real nix and the real git: a flake whose input moves, a host that is built from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.paths import TOP

NIX = shutil.which("nix") and shutil.which("nix-store")
pytestmark = [pytest.mark.skipif(not NIX, reason="not installed: nix"), pytest.mark.timeout(300)]

FLAKE = """\
{
  inputs.base = { url = "git+file://%s"; flake = false; };
  outputs = { self, base }:
    let
      version = builtins.readFile "${base}/version";
      make = name: script: derivation {
        inherit name;
        system = builtins.currentSystem or "x86_64-linux";
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        args = [ "-ec" script ];
      };
      kernel = make "linux-${version}" "echo ${version} >$out";
      modules = make "modules-${version}" "mkdir -p $out/lib/modules/${version}";
      unit = make "unit-web" "echo ${version} >$out";
      still = make "unit-still" "echo the same >$out";
    in
    {
      nixosConfigurations.h.config.system.build.toplevel = make "nixos-system-h" ''
        mkdir -p $out/etc/systemd/system/still.service.d $out/etc/systemd/system/multi-user.target.wants
        echo 26.05 >$out/nixos-version
        ln -s ${kernel} $out/kernel
        ln -s ${modules} $out/kernel-modules
        ln -s ${unit} $out/etc/systemd/system/web.service
        ln -s ${still} $out/etc/systemd/system/still.service
        ln -s ../web.service $out/etc/systemd/system/multi-user.target.wants/web.service
      '';
    };
}
"""


def git(folder: Path, *words: str) -> str:
    environ = os.environ | {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    argv = ["git", "-C", str(folder), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environ).stdout.strip()


class Repo:
    def __init__(self, folder: Path) -> None:
        self.path, self.base = folder / "repo", folder / "base"
        for path in (self.path, self.base):
            path.mkdir()
            git(path, "init", "-q", "-b", "main")
        self.folder = folder
        self.move("6.12.1")
        (self.path / "nix").mkdir()
        (self.path / "nix/flake.nix").write_text(FLAKE % self.base)
        (self.path / "cockpit.yaml").write_text(
            "version: 1\nhosts: {h: {address: h, flake: nix#h, projects: [app]}}\nprojects: {app: {source: compose/app}}\n"
        )
        (self.path / "compose/app").mkdir(parents=True)
        (self.path / "compose/app/compose.yaml").write_text("services: {web: {build: .}}\n")
        git(self.path, "add", "-A")
        # the first lock is nix's own
        assert self.cockpit("update", "--flake")[0] == 10
        git(self.path, "add", "-A")
        git(self.path, "commit", "-q", "-m", "first")

    def move(self, version: str) -> str:
        (self.base / "version").write_text(version)
        git(self.base, "add", "-A")
        git(self.base, "commit", "-q", "-m", version)
        return git(self.base, "rev-parse", "HEAD")

    def cockpit(self, *words: str, path: str | None = None) -> tuple[int, str]:
        environ = os.environ | {
            "PYTHONPATH": str(TOP),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "GITHUB_ACTIONS": "",
            "NIX_CONFIG": "build-users-group =\nsandbox = false\nsubstituters =\n",
            "PATH": path if path is not None else os.environ["PATH"],
        }
        argv = [sys.executable, "-m", "cockpit", *words]
        done = subprocess.run(argv, cwd=self.path, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo(Path(tmp_path_factory.mktemp("update")))


def test_nothing_is_new(repo: Repo) -> None:
    assert repo.cockpit("update", "--flake", "--images", "--build") == (0, "")
    assert git(repo.path, "status", "--porcelain") == ""


def test_an_input_moved(repo: Repo) -> None:
    old = git(repo.base, "rev-parse", "HEAD")
    new = repo.move("6.12.9")
    report = repo.folder / "report.md"
    code, told = repo.cockpit("update", "--flake", "--build", "--output", "json", "--report", str(report))
    found = {one["event"]: one for one in map(json.loads, told.splitlines())}
    assert code == 10
    assert (found["Input"]["name"], found["Input"]["old"], found["Input"]["new"], found["Input"]["url"]) == ("base", old, new, "")
    assert "Error" not in found, found["Error"]
    system = found["SystemUpdate"]
    assert (system["host"], system["reboot"], system["units"]) == ("h", ["6.12.1", "6.12.9"], ["web.service"])
    packages = {one["name"]: (one["old"], one["new"]) for one in system["packages"]}
    assert packages["linux"] == packages["modules"] == ("6.12.1", "6.12.9")
    assert "**reboot**: h has another kernel (6.12.1 → 6.12.9)" in report.read_text()
    # it commits nothing, and changes nothing but the lock
    assert git(repo.path, "status", "--porcelain") == "M nix/flake.lock"
    assert git(repo.path, "rev-list", "--count", "HEAD") == "1"
    git(repo.path, "checkout", "-q", "nix/flake.lock")


def test_a_host_that_no_longer_builds(repo: Repo) -> None:
    (repo.base / "version").unlink()
    git(repo.base, "rm", "-q", "--cached", "version")
    (repo.base / "other").write_text("x")
    git(repo.base, "add", "-A")
    git(repo.base, "commit", "-q", "-m", "the file is gone")
    report = repo.folder / "broken.md"
    code, told = repo.cockpit("update", "--flake", "--build", "--report", str(report))
    # there is something to look at, and it says what is wrong with it
    assert code == 10 and "the system of h cannot be built" in told
    assert "### Not done" in report.read_text() and "| base (nix) |" in report.read_text()
    git(repo.path, "checkout", "-q", "nix/flake.lock")
    git(repo.base, "revert", "--no-edit", "HEAD")


def test_without_nix_the_images_are_looked_at(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "git").symlink_to(shutil.which("git") or "")
    assert repo.cockpit("update", "--images", path=str(tmp_path)) == (0, "")
    code, told = repo.cockpit("update", path=str(tmp_path))
    assert code == 2 and "nix is not installed" in told
    assert git(repo.path, "status", "--porcelain") == ""
