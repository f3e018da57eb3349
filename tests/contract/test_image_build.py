"""Images by the real nix, with a flake that needs nothing from anywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cockpit.adapters.nixos.image import ATTRIBUTE, NixImageBuilder
from cockpit.domain.errors import BuildFailed, UsageError
from cockpit.domain.settings import HostSettings
from scripts.paths import TOP

HOST = HostSettings("homelab", "192.0.2.1", flake="nix#homelab")
FLAKE = """{
  outputs = _: {
    packages.x86_64-linux.image-homelab = derivation {
      name = "homelab-image";
      system = "x86_64-linux";
      builder = "/bin/sh";
      PATH = "/bin:/usr/bin";
      args = [ "-c" ''echo making it >&2; %s'' ];
    };
  };
}
"""
GOOD = r"mkdir $out; printf 'QFI\373an image of %s' homelab > $out/homelab.qcow2"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, and a nix store of its own."""
    if not shutil.which("nix"):
        pytest.skip("nix is not installed")
    for name, value in (
        ("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("NIX_STORE_DIR", "nix/store"), ("NIX_STATE_DIR", "nix/var"),
        ("NIX_LOG_DIR", "nix/log"), ("NIX_CONF_DIR", "nix/etc"),
    ):  # fmt: skip
        (tmp_path / value).mkdir(parents=True)
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.delenv("NIX_REMOTE", raising=False)
    monkeypatch.setenv("NIX_CONFIG", "build-users-group =\nsubstituters =\nsandbox = false\n")
    (tmp_path / "a homelab" / "nix").mkdir(parents=True)
    return tmp_path / "a homelab"


def commit(root: Path, script: str) -> str:
    (root / "nix" / "flake.nix").write_text(FLAKE % script)
    git = ["git", "-C", str(root), "-c", "user.email=ada@example.org", "-c", "user.name=ada"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull})
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


async def test_a_commit_becomes_an_image(root: Path) -> None:
    sha = commit(root, GOOD)
    (root / "nix" / "flake.nix").write_text("what is not committed is not built")
    lines: list[str] = []
    image = await NixImageBuilder(root).build(HOST, sha, lines.append)
    data = Path(image.path).read_bytes()
    assert data == b"QFI\xfban image of homelab" and image.path.endswith("-homelab-image/homelab.qcow2")
    assert (image.size, image.digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert image.file == f"cockpit-image-{image.digest[:16]}.qcow2"
    assert any("making it" in line for line in lines), lines


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no space left; exit 7", "not built: builder for"),
        ("mkdir $out", "one was expected"),
        (f"{GOOD}; cp $out/homelab.qcow2 $out/other.qcow2", "one was expected"),
    ],
)
async def test_what_becomes_none_is_told(root: Path, script: str, why: str) -> None:
    sha = commit(root, script)
    with pytest.raises(BuildFailed, match=why):
        await NixImageBuilder(root).build(HOST, sha, lambda line: None)


async def test_a_host_without_an_image(root: Path) -> None:
    sha = commit(root, GOOD)
    with pytest.raises(BuildFailed, match="does not provide attribute"):
        await NixImageBuilder(root).build(HostSettings("edge", "192.0.2.2", flake="nix"), sha, lambda line: None)


async def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    builder = NixImageBuilder(tmp_path)
    (tmp_path / "raw").write_bytes(b"\0" * 4096)
    (tmp_path / "empty").touch()
    for name, told in (("raw", "no qcow2"), ("empty", "is empty"), ("missing", "cannot be read")):
        with pytest.raises(UsageError, match=told):
            await builder.read(str(tmp_path / name))


def test_the_flake_has_such_a_package() -> None:
    text = (TOP / "nix" / "flake.nix").read_text()
    assert ATTRIBUTE.format("${name}") in text
