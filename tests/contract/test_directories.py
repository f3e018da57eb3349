"""Project directories on a host: a release comes, goes back, or is cut off between two commands; the host loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.paths import TOP

PARTS = ("common", "before", "directories")
PLACES = ("/nix/store", "/nix/var", "/var/lib/cockpit", "/run/cockpit")
CUT = r"""
cut() { COUNT=$((COUNT + 1)); [ "$COUNT" != "$CUT_AT" ] || kill -KILL $$; }
for name in cp ln mv rm; do eval "$name() { cut; command $name \"\$@\"; }"; done
"""
OWN = (".cockpit-before", ".cockpit-copied", ".cockpit-copying")
pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="not installed: jq")

Content = str | dict[str, str]


@dataclass
class Host:
    """The programs of a host with every place below one folder; one project, `web`."""

    root: Path
    releases: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("libexec", "run/cockpit/secrets/web", "var/lib/cockpit/attempts", "nix/store"):
            (self.root / folder).mkdir(parents=True)
        for name in PARTS:
            text = (TOP / f"nix/programs/{name}.sh").read_text()
            for place in PLACES:
                text = text.replace(place, f"{self.root}{place}")
            (self.root / f"libexec/{name}.sh").write_text(text)
        self.directory.mkdir()

    @property
    def directory(self) -> Path:
        return self.root / "web"

    def write(self, **files: str) -> None:
        """Files of the host's own; `__` is a slash, `_` in front a dot."""
        for name, text in files.items():
            self.put(self.directory, name.replace("__", "/").replace("_", ".", 1), text)

    @staticmethod
    def put(folder: Path, name: str, text: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def secret(self, name: str, text: str) -> None:
        self.put(self.root / "run/cockpit/secrets/web", name, text)

    def release(self, name: str, entries: dict[str, Content], copied: tuple[str, ...] = (), secrets: tuple[str, ...] = ()) -> str:
        """The manifest of a release; an entry is a file, or a folder of files."""
        paths = {}
        for entry, content in entries.items():
            files = {"": content} if isinstance(content, str) else content
            hashed = hashlib.sha256(json.dumps([entry, files]).encode()).hexdigest()
            path = self.root / f"nix/store/{hashed[:32]}-e-{hashed[32:44]}"
            for file, text in files.items():
                if not file:
                    path.write_text(text)
                else:
                    self.put(path, file, text)
            paths[entry] = str(path)
        project = {
            "directory": str(self.directory),
            "entries": paths,
            "copied": list(copied),
            "encrypted": {secret: {"path": "/x", "format": "dotenv"} for secret in secrets},
        }
        target = self.root / f"{name}.json"
        target.write_text(json.dumps({"projects": {"web": project}}))
        return str(target)

    def attempt(self, open_: bool = True) -> None:
        folder = self.root / "var/lib/cockpit/attempts/000001-aaaa"
        shutil.rmtree(folder, ignore_errors=True)
        if open_:
            self.put(folder, "intent.json", "{}")

    def bash(self, script: str, cut_at: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs it with the programs; killed in front of its command number `cut_at` that changes something."""
        env = os.environ | {"COUNT": "0", "CUT_AT": str(cut_at), "LIB": str(self.root / "libexec")}
        program = f'set -euo pipefail; for f in {" ".join(PARTS)}; do . "$LIB/$f.sh"; done; {CUT} {script}'
        return subprocess.run(["bash", "-c", program], env=env, capture_output=True, text=True, timeout=60, check=False)

    def found(self) -> dict[str, str]:
        """What is in the directory, beside what is cockpit's own: links by what they name."""
        files = {}
        for path in sorted(self.directory.rglob("*")):
            name = path.relative_to(self.directory)
            if name.parts[0] not in OWN and (path.is_symlink() or not path.is_dir()):
                files[str(name)] = f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        return files


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Host]:
    """Makes one host after another."""
    made = iter(range(1000))
    return lambda: Host(tmp_path / str(next(made)))


def each_cut(make: Callable[[], tuple[Host, str]], after: Callable[[Host], None]) -> int:
    """Runs a script on a new host for each command of it, is killed in front of that one, and goes on; how many there were."""
    for number in range(1, 200):
        host, script = make()
        done = host.bash(script, number)
        if done.returncode == 0:
            after(host)
            return number - 1
        assert done.returncode == -9, done.stderr
        after(host)
    raise AssertionError("the script does not end")


def stranger(host: Host) -> tuple[str, dict[str, str]]:
    """A project that no release brought, with all that a release can find there; the manifest of one, and the directory."""
    host.write(
        compose="same", _env="PASSWORD=x\n", certs__acme="theirs", conf__a="old", conf__b="own", app="edited", data__db="rows"
    )
    (host.root / "shared.env").write_text("shared")
    (host.directory / "shared.env").symlink_to("../shared.env")
    (host.directory / "rules").symlink_to(host.root)
    host.secret(".env", "PASSWORD=x\n")
    entries: dict[str, Content] = {
        "compose": "same",
        "conf": {"a": "new"},
        "app": "released",
        "shared.env": "released",
        "rules": {"one": "1"},
        "seed": {"deep/file": "seed", "other": "seed"},
    }
    manifest = host.release("new", entries, ("app", "rules", "seed"), (".env",))
    host.attempt()
    return manifest, host.found()


def test_a_first_contact_that_is_cut_off_anywhere_leaves_the_directory_as_it_was(fresh: Callable[[], Host]) -> None:
    manifest, before = "", dict[str, str]()

    def make() -> tuple[Host, str]:
        nonlocal manifest, before
        host = fresh()
        manifest, before = stranger(host)
        return host, f"point_project {manifest} web"

    def after(host: Host) -> None:
        done = host.bash(f"restore_directory {host.directory} whole")
        assert done.returncode == 0, done.stderr
        assert host.found() == before
        assert not any((host.directory / name).exists() for name in OWN)

    assert each_cut(make, after) > 15


def test_a_way_back_that_is_cut_off_anywhere_is_gone_again(fresh: Callable[[], Host]) -> None:
    before = dict[str, str]()

    def make() -> tuple[Host, str]:
        nonlocal before
        host = fresh()
        manifest, before = stranger(host)
        assert host.bash(f"point_project {manifest} web").returncode == 0
        assert host.found() != before
        return host, f"restore_directory {host.directory} whole"

    def after(host: Host) -> None:
        assert host.bash(f"restore_directory {host.directory} whole").returncode == 0
        assert host.found() == before

    assert each_cut(make, after) > 10


def test_what_stays_is_settled_wherever_that_is_cut_off_and_nothing_is_lost(fresh: Callable[[], Host]) -> None:
    def make() -> tuple[Host, str]:
        host = fresh()
        manifest, _ = stranger(host)
        assert host.bash(f"point_project {manifest} web").returncode == 0
        host.attempt(open_=False)
        return host, f"settle_directory {host.directory}"

    def after(host: Host) -> None:
        assert host.bash(f"settle_directory {host.directory}").returncode == 0
        found = host.found()
        assert (found["app"], found["app.cockpit-kept"]) == ("released", "edited")
        assert (found["conf.cockpit-kept/a"], found["conf.cockpit-kept/b"], found["rules/one"]) == ("old", "own", "1")
        assert found["shared.env.cockpit-kept"] == "-> ../shared.env"
        assert found["rules.cockpit-kept"] == f"-> {host.root}"
        # what the release has as well is not there twice; a secret in plain text least of all
        assert not [name for name in found if name.startswith((".env.", "compose."))]
        assert not (host.directory / ".cockpit-before").exists()

    assert each_cut(make, after) > 5


def releases(host: Host) -> tuple[str, str]:
    """A host with one release, and changes of its own; the manifests of that and of the next one."""
    old = host.release(
        "old",
        {"compose": "1", "app": "1", "mine": "1", "gone": "1", "media": {"readme": "1"}, "conf": {"a": "1"}},
        ("app", "mine", "gone", "media"),
    )
    host.write(later="the host's")
    assert host.bash(f"point_project {old} web").returncode == 0
    host.write(mine="edited", media__document="precious")
    new = host.release(
        "new",
        {"compose": "2", "app": "2", "mine": "1", "media": {"readme": "1"}, "conf": {"a": "2"}, "later": "2", "added": "2"},
        ("app", "mine", "added"),
    )
    return old, new


def test_a_deploy_that_is_cut_off_anywhere_goes_back_to_the_old_release(fresh: Callable[[], Host]) -> None:
    old, before = "", dict[str, str]()

    def make() -> tuple[Host, str]:
        nonlocal old, before
        host = fresh()
        old, new = releases(host)
        before = host.found()
        host.attempt()
        return host, f"point_project {new} web"

    def after(host: Host) -> None:
        done = host.bash(f"point_project {old} web; restore_directory {host.directory}")
        assert done.returncode == 0, done.stderr
        assert host.found() == before

    assert each_cut(make, after) > 15


def test_a_way_back_to_a_release_that_is_cut_off_anywhere_is_gone_again(fresh: Callable[[], Host]) -> None:
    old, before = "", dict[str, str]()

    def make() -> tuple[Host, str]:
        nonlocal old, before
        host = fresh()
        old, new = releases(host)
        before = host.found()
        host.attempt()
        host.bash(f"point_project {new} web", 18)
        return host, f"point_project {old} web; restore_directory {host.directory}"

    def after(host: Host) -> None:
        assert host.bash(f"point_project {old} web; restore_directory {host.directory}").returncode == 0
        assert host.found() == before

    assert each_cut(make, after) > 10


def test_the_next_release_comes_wherever_it_was_cut_off(fresh: Callable[[], Host]) -> None:
    new = ""

    def make() -> tuple[Host, str]:
        nonlocal new
        host = fresh()
        _, new = releases(host)
        host.attempt()
        return host, f"point_project {new} web"

    def after(host: Host) -> None:
        assert host.bash(f"point_project {new} web").returncode == 0
        host.attempt(open_=False)
        assert host.bash(f"settle_directory {host.directory}").returncode == 0
        found = host.found()
        assert {name: text for name, text in found.items() if not text.startswith("->")} == {
            "app": "2",
            "added": "2",
            "mine": "edited",
            "later.cockpit-kept": "the host's",
            "media.cockpit-kept/document": "precious",
            "media.cockpit-kept/readme": "1",
        }
        assert {name for name, text in found.items() if text.startswith("->")} == {"compose", "conf", "later", "media"}

    assert each_cut(make, after) > 15


def test_what_cannot_be_put_back_is_told(fresh: Callable[[], Host]) -> None:
    """An attempt is closed as gone back only when that is so."""
    host = fresh()
    manifest, _ = stranger(host)
    assert host.bash(f"point_project {manifest} web").returncode == 0
    done = host.bash(f"mv() {{ false; }}; if restore_directory {host.directory} whole; then echo back; else echo not; fi")
    assert done.stdout == "not\n"
