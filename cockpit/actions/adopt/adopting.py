"""The plan of adopting, and carrying it out: files that are written, lines that a person writes, and what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from cockpit.actions.adopt import compare, flake, texts
from cockpit.actions.adopt.shape import Shape, text
from cockpit.actions.adopt.texts import Answers
from cockpit.domain.errors import CockpitError, Conflict, UsageError
from cockpit.domain.inventory import Inventory
from cockpit.ports.making import FileSet

VENDORED = ("lib/programs.nix", "lib/release.nix", "modules/cockpit.nix", "programs/*.sh", "programs/release.jq")
"""What runs on a host, below nix/ of the reference homelab."""
MODULE = "cockpit-host.nix"
LATEST = "26.05"
_HOST = re.compile(r"^[a-z0-9][a-z0-9_.-]*$")


class FileChange(Struct, frozen=True):
    path: str
    """Relative to the top of the repository."""
    old: str | None
    new: str

    def diff(self) -> str:
        before = [] if self.old is None else self.old.splitlines(keepends=True)
        names = ("/dev/null" if self.old is None else f"a/{self.path}", f"b/{self.path}")
        return "".join(difflib.unified_diff(before, self.new.splitlines(keepends=True), *names))


class Adoption(Struct, frozen=True):
    """What would be done. Nothing has been written."""

    root: Path
    host: str
    changes: tuple[FileChange, ...] = ()
    vendored: tuple[FileChange, ...] = ()
    """What runs on the host, as this cockpit has it; not to be edited."""
    by_hand: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        return not self.changes and not self.vendored


def plan(shape: Shape, answers: Answers, reference: Path, inventory: Inventory | None = None) -> Adoption:
    """`reference` is the top of the reference homelab, whose nix/ has what runs on a host."""
    if not _HOST.match(answers.host):
        raise UsageError(f"{answers.host!r} is no name for a host", "lower-case letters, digits, - _ .", "--host NAME")
    root = shape.root
    at = f"{shape.flake_folder}/" if shape.flake_folder else ""
    changes: list[FileChange] = []
    by_hand: list[str] = []
    notes: list[str] = []

    def change(path: str, new: str) -> None:
        old = text(root / path)
        if old != new:
            changes.append(FileChange(path, old, new))

    if (root / "cockpit.yaml").exists():
        notes.append("cockpit.yaml is there already and stays as it is")
    else:
        change("cockpit.yaml", texts.settings(shape, answers))
    module = MODULE if len(shape.hosts) <= 1 else f"cockpit-{answers.host}.nix"
    if (root / at / module).exists():
        notes.append(f"{at}{module} is there already and stays as it is")
    else:
        change(f"{at}{module}", texts.module(shape, answers))
    if shape.flake is None:
        release = answers.release or shape.state_version or LATEST
        change(f"{at}flake.nix", flake.new(answers.host, module, release))
        notes.append(f"{at}flake.nix is new, and follows NixOS {release}: nixos-version on the host says what it runs")
    else:
        made = flake.edit(shape.flake, answers.host, module)
        if made.text is None:
            by_hand.append(f"{at}flake.nix, into the list `modules` of {answers.host} ({made.why}):\n    {made.line}")
        else:
            change(f"{at}flake.nix", made.text)
    if (ignored := texts.ignored(text(root / ".gitignore"), shape)) is not None:
        change(".gitignore", ignored)
    vendored = tuple(_vendored(root, f"{at}cockpit", reference))
    for guest, number in shape.guests:
        vmid = f"VM {number}" if number else "a guest"
        notes.append(
            f"tofu/ describes {guest} ({vmid}); `clusters:` in cockpit.yaml shows it, and `guest:` says that it is this host"
        )
    warnings = [*(compare.warnings(shape, answers, inventory) if inventory is not None else ()), *_pipelines(shape)]
    return Adoption(root, answers.host, tuple(changes), vendored, tuple(by_hand), tuple(warnings), tuple(notes),
                    tuple(_next(shape, answers, at)))  # fmt: skip


async def apply(adoption: Adoption, files: FileSet) -> None:
    """Writes what the plan says, all of it or nothing. Conflict where a file is no longer as the plan read it."""
    every = (*adoption.changes, *adoption.vendored)
    for change in every:
        if text(adoption.root / change.path) != change.old:
            raise Conflict(f"{change.path} changed since it was read", "nothing was written", "run it again")
    await files.replace({change.path: change.new.encode() for change in every})


def _vendored(root: Path, at: str, reference: Path) -> Iterator[FileChange]:
    for pattern in VENDORED:
        found = sorted((reference / "nix").glob(pattern))
        if not found:
            raise CockpitError("this installation of cockpit is not whole", f"nix/{pattern} is missing", "install it anew")
        for path in found:
            name = f"{at}/{path.relative_to(reference / 'nix')}"
            new, old = path.read_text(encoding="utf-8"), text(root / name)
            if old != new:
                yield FileChange(name, old, new)


def _pipelines(shape: Shape) -> Iterator[str]:
    for path in shape.pipelines:
        yield f"{path} deploys by itself: it would undo what cockpit does, and may delete data. Switch it off before you push"


def _next(shape: Shape, answers: Answers, at: str) -> Iterator[str]:
    """Three steps, each of one or more commands."""
    wanted = ["cockpit.yaml", ".gitignore" if (shape.root / ".gitignore").exists() or _sidecars(shape) else "", at or "."]
    commit = [f"git add {' '.join(filter(None, wanted))}"]
    if not shape.locked:
        # nix sees what git sees
        commit += [f"nix flake lock ./{shape.flake_folder}   # pins what is built", f"git add {at}flake.lock"]
    if shape.pipelines:
        commit.append(f"git rm -q {' '.join(shape.pipelines)}   # the old pipeline; or switch it off before the next push")
    yield "\n".join([*commit, "git commit -m 'Deploy with cockpit'"])
    yield f"cockpit bootstrap {answers.host}   # shows what it would do; again with --yes does it"
    yield "cockpit plan   # says: nothing to do"


def _sidecars(shape: Shape) -> bool:
    return any(project.sidecars for project in shape.projects)
