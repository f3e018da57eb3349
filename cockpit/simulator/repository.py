"""The demo's git repository: a homelab's tree, its history, and an `origin` to push to, where a broken commit waits."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from msgspec import Struct

from cockpit.domain.errors import UsageError
from cockpit.simulator import keys, story

HOMELAB = Path(__file__).parent / "homelab"
PACKAGED = Path(__file__).parents[1] / "reference"
"""The reference homelab in a wheel; a clone has it at its top."""
SHARED = ("nix/lib", "nix/modules/cockpit.nix", "nix/programs")
"""What the demo's homelab has as the reference has it."""
MAIN = "refs/heads/main"
BOOKMARKS = """---
- Homelab:
    - NixOS options:
        - abbr: NX
          href: https://search.nixos.org/options
    - Compose file:
        - abbr: DC
          href: https://docs.docker.com/reference/compose-file/
"""


class Made(Struct, frozen=True):
    """One commit as it came to be."""

    sha: str
    time: float
    step: story.Step


def git(folder: Path, *args: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(  # noqa: S603
        ("git", "-C", str(folder), *args),  # noqa: S607 - the person's own git
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    if done.returncode != 0:
        raise UsageError(
            f"git {args[0]} failed", done.stderr.decode("utf-8", "replace").strip()[-300:], "is git 2.20 or newer there?"
        )
    return done.stdout.decode()


def environment() -> dict[str, str]:
    """Nothing of the person's own git settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def tree() -> dict[str, bytes]:
    """The files of the demo's homelab, encrypted ones excepted."""
    top = PACKAGED if PACKAGED.is_dir() else Path(__file__).parents[2]
    found = {file.relative_to(HOMELAB).as_posix(): file.read_bytes() for file in _files(HOMELAB)}
    for part in SHARED:
        found |= {file.relative_to(top).as_posix(): file.read_bytes() for file in _files(top / part)}
    return found


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def make(folder: Path, settings: str, recipients: tuple[str, ...], pve_token: str) -> tuple[tuple[Made, ...], Made]:
    """The repository FOLDER/repo and FOLDER/origin.git; (commits of main, oldest first, and the broken one that `origin` has)."""
    repo, origin = folder / "repo", folder / "origin.git"
    repo.mkdir()
    files = tree()
    (folder / ".sops.yaml").write_text(_rules(recipients), encoding="utf-8")
    secret, token = keys.encrypt(folder, keys.plain_secrets(pve_token)), keys.encrypt(folder, keys.rotated())
    (folder / ".sops.yaml").unlink()
    now = time.time()
    first = secret | {".sops.yaml": _rules(recipients), "cockpit.yaml": settings}
    plan = story.steps(int(now // 86400), first, token, BOOKMARKS)
    stream = bytearray(b"feature done\n")
    before: story.Files = {}
    for number, step in enumerate((*plan, story.broken()), 1):
        branch = "main" if number <= len(plan) else "break"
        after = dict(files if number == 1 else before)
        step.change(after)
        _commit(stream, number, branch, step, now - step.days * story.DAY, before, after)
        before = after
    stream += b"done\n"
    git(folder, "init", "-q", "--initial-branch=main", str(repo))
    marks = folder / "marks"
    git(repo, "fast-import", "--quiet", f"--export-marks={marks}", stdin=bytes(stream))
    shas = dict(line.split() for line in marks.read_text(encoding="ascii").splitlines())
    marks.unlink()
    git(repo, "reset", "-q", "--hard", "main")
    git(folder, "clone", "-q", "--bare", str(repo), str(origin))
    for key, value in (("user.name", "Ada Marlow"), ("user.email", "ada@home.example.org"), ("commit.gpgsign", "false")):
        git(repo, "config", key, value)
    git(repo, "remote", "add", "origin", str(origin))
    git(origin, "update-ref", MAIN, "break")  # Ben has pushed, and nobody has pulled
    git(origin, "branch", "-q", "-D", "break")
    git(repo, "branch", "-q", "-D", "break")
    git(repo, "fetch", "-q", "origin")
    git(repo, "branch", "-q", "--set-upstream-to=origin/main", "main")
    made = [Made(shas[f":{n}"], now - s.days * story.DAY, s) for n, s in enumerate((*plan, story.broken()), 1)]
    return tuple(made[:-1]), made[-1]


def take_back(folder: Path, made: Made, broken: Made) -> bool:
    """Ben's commit goes away when others have committed beside it, so that nobody has to merge; whether that is decided."""
    try:
        own = (folder / "repo/.git" / MAIN).read_text(encoding="ascii").strip()
    except OSError:
        return False  # git is at work
    if own == made.sha:
        return False
    if own != broken.sha and broken.sha not in git(folder / "repo", "rev-list", "--max-count=50", own).split():
        git(folder / "origin.git", "update-ref", MAIN, made.sha, broken.sha)
        git(folder / "repo", "fetch", "-q", "origin", f"+{MAIN}:refs/remotes/origin/main")
    return True


def _rules(recipients: tuple[str, ...]) -> str:
    joined = ",\n      ".join(recipients)
    return (
        "# Who can read what: Ada, and the hosts by their own ssh keys. All of them are keys of this demo alone.\n"
        f"creation_rules:\n  - path_regex: ^secrets/.*\\.yaml$\n    age: >-\n      {joined}\n"
    )


def _commit(
    stream: bytearray, mark: int, branch: str, step: story.Step, at: float, before: story.Files, after: story.Files
) -> None:
    who = f"{step.author[0]} <{step.author[1]}> {int(at)} +0000"
    message = step.subject.encode() + b"\n"
    stream += f"commit refs/heads/{branch}\nmark :{mark}\nauthor {who}\ncommitter {who}\ndata {len(message)}\n".encode()
    stream += message
    if mark > 1:
        stream += f"from :{mark - 1}\n".encode()
    for path in sorted(before.keys() - after.keys()):
        stream += f"D {path}\n".encode()
    for path in sorted(after):
        if before.get(path) != after[path]:
            stream += f"M 100644 inline {path}\ndata {len(after[path])}\n".encode() + after[path] + b"\n"
