"""The wheel: it holds the reference homelab whole, and `cockpit init` works from it, far from any checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.adapters import reference
from scripts.paths import TOP, tracked
from tests.contract.new_homelab import Person, decrypt, secrets


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an installer put the wheel into."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    uv = Path(sys.executable).parent / "uv"
    target = folder / "site"
    install = [str(uv), "pip", "install", "--offline", "--no-deps", "--no-cache", "--target", str(target), str(wheel)]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    return target


def test_it_holds_what_a_checkout_has(installed: Path) -> None:
    """Every file that git has of it, byte by byte, and what can be run can be run."""
    names = {path.relative_to(TOP).as_posix() for path in tracked()}
    checkout = {name: file for name, file in reference.read(TOP).items() if name in names}
    packaged = reference.read(installed / "cockpit/reference")
    assert sorted(packaged) == sorted(checkout)
    assert [name for name in checkout if packaged[name] != checkout[name]] == []
    assert len(checkout) > 80 and any(file.executable for file in checkout.values())


def test_a_new_homelab_far_from_any_checkout(installed: Path, tmp_path: Path) -> None:
    person = Person(tmp_path / "ada", top=installed)
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import cockpit; print(cockpit.__file__)"],
        env=person.environment(),
        cwd=person.home,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(where).is_relative_to(installed), "the test would try the checkout"
    done = person.init("lab", "--i-stored-the-recovery-key")
    assert done.returncode == 0, done.stdout + done.stderr
    lab = person.home / "lab"
    assert person.cockpit("config", "check", cwd=lab).returncode == 0
    assert person.git(lab, "status", "--porcelain", "--ignored") == ""
    assert all(decrypt(path, person.keys) is not None for path in secrets(lab))
    written = Person(tmp_path / "bea")
    assert written.init("lab", "--i-stored-the-recovery-key").returncode == 0
    listings = [who.git(who.home / "lab", "ls-files", "--format=%(objectmode) %(path)") for who in (person, written)]
    assert listings[0] == listings[1]
    assert re.search(r"^100755 tofu/with-secrets$", listings[0], re.M)
