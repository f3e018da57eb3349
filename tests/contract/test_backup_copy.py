"""The copy of volumes for a backup: twice, the second time with their containers paused, and nothing stays paused."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.paths import TOP

PROGRAM = TOP / "nix/modules/backup-copy.sh"
ANONYMOUS = "0123456789abcdef" * 4

DOCKER = r"""#!/bin/bash
echo "docker $*" >>"$LOG"
case "$1 $2" in
  "volume ls") [ ! -e "$ENGINE/dead" ] && ls "$ENGINE/volumes" ;;
  "volume inspect") echo "$ENGINE/volumes/$5" ;;
  "ps -q") for f in "$ENGINE"/users/*; do grep -qx "${4#volume=}" "$f" && basename "$f"; done; true ;;
  pause\ *) [ ! -e "$ENGINE/refuses-$2" ] ;;
  unpause\ *) ;;
  *) exit 9 ;;
esac
"""
RSYNC = r"""#!/bin/bash
echo "rsync ${@: -2:1}" >>"$LOG"
rm -rf "${@: -1}" && cp -a "${@: -2:1}" "${@: -1}"
code=$(cat "$ENGINE/rsync-$(grep -c ^rsync "$LOG")" 2>/dev/null) || code=0
exit "$code"
"""


@dataclass
class Engine:
    """Volumes and the containers that use them, as files; what is asked of them is in a log."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("bin", "volumes", "users", "copy"):
            (self.folder / name).mkdir()
        programs = {"docker": DOCKER, "rsync": RSYNC, "systemctl": "#!/bin/bash\nexit 3\n"}
        for name, text in programs.items():
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)

    def volume(self, name: str, *containers: str) -> None:
        (self.folder / "volumes" / name).mkdir()
        (self.folder / "volumes" / name / "data").write_text(name)
        for container in containers:
            with (self.folder / "users" / container).open("a") as file:
                file.write(f"{name}\n")

    def run(self, verb: str = "take", **settings: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "LOG": str(self.folder / "log"),
            "ENGINE": str(self.folder),
            "COPY": str(self.folder / "copy"),
            "STATE": str(self.folder / "paused"),
            "VOLUMES": "",
            "EXCEPT": "",
        }
        return subprocess.run(
            ["bash", str(PROGRAM), verb], env=env | settings, capture_output=True, text=True, check=False, timeout=60
        )

    @property
    def log(self) -> list[str]:
        lines = (self.folder / "log").read_text().splitlines()
        return [line for line in lines if line.startswith(("docker pause", "docker unpause", "rsync"))]

    def copies(self) -> set[str]:
        return {path.name for path in (self.folder / "copy").iterdir()}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path)
    made.volume("db", "c1")
    made.volume("web", "c1", "c2")
    made.volume(ANONYMOUS, "c3")
    return made


def rsyncs(engine: Engine) -> list[str]:
    return [f"rsync {engine.folder}/volumes/{name}/" for name in ("db", "web")]


def test_the_second_copy_is_made_while_its_containers_stand_still(engine: Engine) -> None:
    done = engine.run()
    assert done.returncode == 0, done.stderr
    once = rsyncs(engine)
    assert engine.log == [
        *once,
        *("docker pause c1", "docker pause c2"),
        *once,
        *("docker unpause c1", "docker unpause c2"),
    ]
    assert engine.copies() == {"db", "web"}
    assert (engine.folder / "copy/db/data").read_text() == "db"
    assert not (engine.folder / "paused").exists()


def test_a_file_that_went_away_counts_only_while_it_stands_still(engine: Engine) -> None:
    (engine.folder / "rsync-1").write_text("24")
    assert engine.run().returncode == 0
    (engine.folder / "log").unlink()
    (engine.folder / "rsync-1").unlink()
    (engine.folder / "rsync-3").write_text("24")
    assert engine.run().returncode != 0


@pytest.mark.parametrize("fault", ["rsync-3", "rsync-4", "refuses-c2"])
def test_nothing_stays_paused_after_a_failure(engine: Engine, fault: str) -> None:
    (engine.folder / fault).write_text("23")
    assert engine.run().returncode != 0
    assert engine.log[-2:] == ["docker unpause c1", "docker unpause c2"]
    assert not (engine.folder / "paused").exists()


def test_what_a_killed_copy_left_paused_is_released_afterwards(engine: Engine) -> None:
    (engine.folder / "paused").write_text("c1\n")
    assert engine.run("release").returncode == 0
    assert engine.log == ["docker unpause c1"]
    assert engine.run("release").returncode == 0
    assert engine.log == ["docker unpause c1"]


def test_an_engine_that_does_not_answer_is_no_empty_backup(engine: Engine) -> None:
    (engine.folder / "dead").touch()
    assert engine.run().returncode != 0


def test_names_choose(engine: Engine) -> None:
    assert engine.run(EXCEPT="web").returncode == 0
    assert engine.copies() == {"db"}
    # what is no longer chosen is not saved for ever
    assert engine.run(VOLUMES="web").returncode == 0
    assert engine.copies() == {"web"}
