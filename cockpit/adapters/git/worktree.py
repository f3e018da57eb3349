"""The work tree: what differs, and staging, committing, pushing and discarding it, by the git command line."""

from __future__ import annotations

import asyncio
import fnmatch
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cockpit.adapters import process
from cockpit.adapters.git.disk import Disk
from cockpit.adapters.git.repository import environment
from cockpit.domain.errors import CockpitError, OperationFailed, Refused, UsageError
from cockpit.domain.files import MOST_BYTES, Change, Content, Entry, PushTarget, WorkStatus
from cockpit.domain.text import plain

LOCAL, NETWORK, HOOKS = 30.0, 120.0, 300.0
"""Deadlines in seconds; hooks of a commit or push may build something."""
WORKFLOW = ".github/workflows/deploy.yml"
_LAST_LINES = 6
_SCAN = 64 * 1024 * 1024
"""Bytes that one reading of many files takes at most."""
T = TypeVar("T")


class GitWorkTree:
    """ports.WorkTree. Names go to git between NULs or after `--`, and are never patterns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._disk = Disk(root)

    async def status(self) -> WorkStatus:
        done = await self._ask(
            "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-ahead-behind", read_only=True
        )
        fields = _text(done).split("\0")
        branch = upstream = None
        head = True
        for entry in fields:
            if entry.startswith("# branch.head ") and not entry.endswith(" (detached)"):
                branch = entry.removeprefix("# branch.head ")
            elif entry.startswith("# branch.upstream "):
                upstream = entry.removeprefix("# branch.upstream ")
            elif entry == "# branch.oid (initial)":
                head = False
        ahead, behind = await self._distance() if upstream else (0, 0)
        counts = await self._counts() if head else {}
        changes = []
        for change in _changes(fields):
            added, removed = counts.get(change.path, (None, None))
            changes.append(Change(change.path, change.index, change.work, change.original, added, removed))
        return WorkStatus(branch, upstream, ahead, behind, head, tuple(sorted(changes, key=lambda c: c.path)))

    async def _distance(self) -> tuple[int, int]:
        done = await self._git("rev-list", "--left-right", "--count", "HEAD...@{upstream}", "--")
        numbers = _text(done.out).split() if done.code == 0 else []
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else (0, 0)

    async def _counts(self) -> dict[str, tuple[int | None, int | None]]:
        """Lines added and removed against HEAD, by path."""
        done = await self._git("diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "HEAD", "--")
        out: dict[str, tuple[int | None, int | None]] = {}
        for entry in _text(done.out).split("\0") if done.code == 0 else ():
            added, _, rest = entry.partition("\t")
            removed, _, path = rest.partition("\t")
            if path:
                out[path] = (int(added), int(removed)) if added.isdigit() and removed.isdigit() else (None, None)
        return out

    async def entries(self, most: int) -> tuple[tuple[Entry, ...], int]:
        out = await self._ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", read_only=True)
        paths = sorted({path for path in _text(out).split("\0") if path})
        return await _thread(lambda: self._disk.entries(paths[:most])), max(0, len(paths) - most)

    async def read(self, path: str, most: int) -> Content:
        return await _thread(lambda: self._disk.read(path, most))

    async def read_many(self, paths: Sequence[str], most: int) -> dict[str, bytes]:
        return await _thread(lambda: self._disk.read_many(list(paths)[: max(1, _SCAN // most)], most))

    async def at_head(self, path: str) -> bytes | None:
        done = await self._git("cat-file", "blob", f"HEAD:{path}")
        return done.out if done.code == 0 else None

    async def at_index(self, path: str) -> bytes | None:
        done = await self._git("cat-file", "blob", f":0:{path}")
        return done.out if done.code == 0 else None

    async def write(self, path: str, data: bytes, expected: str) -> Content:
        return await _thread(lambda: self._disk.write(path, data, expected, MOST_BYTES))

    async def stage(self, paths: Sequence[str]) -> None:
        await self._many(("add", "--all"), paths)

    async def unstage(self, paths: Sequence[str]) -> None:
        if (await self.status()).head:
            await self._many(("restore", "--staged"), paths)
        else:
            await self._many(("rm", "--cached", "--quiet", "-r"), paths)

    async def commit(self, message: str, *, amend: bool) -> str:
        words = ["commit", "--quiet", *(["--amend"] if amend else [])]
        words += ["--file=-"] if message else ["--no-edit"]
        done = await self._git(*words, stdin=message.encode(), deadline=HOOKS)
        if done.code != 0:
            raise OperationFailed(
                "git did not commit",
                _last(done),
                "mend what it says (a hook may have refused it); what is staged is still staged",
            )
        return _text(await self._ask("rev-parse", "--verify", "HEAD", read_only=True)).strip()

    async def message(self) -> str:
        done = await self._git("log", "-1", "--no-show-signature", "--format=%B")
        return _text(done.out).strip() if done.code == 0 else ""

    async def push_target(self) -> PushTarget:
        status = await self.status()
        if not status.head:
            raise Refused("there is nothing to push", "there is no commit yet", "c commits")
        if status.branch is None:
            raise Refused("no branch is checked out", "HEAD is detached", "git switch BRANCH")
        wanted = f"refs/heads/{status.branch}"
        fields = "%(upstream:remotename)%00%(upstream:remoteref)"
        told = _text(await self._ask("for-each-ref", f"--format={fields}", "--", wanted, read_only=True)).strip("\n")
        remote, _, ref = told.partition("\0")
        commits: list[str] = []
        if not remote:
            remotes = _text(await self._ask("remote", read_only=True)).split()
            if not remotes:
                raise Refused("there is no remote to push to", "", "git remote add origin URL")
            remote = "origin" if "origin" in remotes else remotes[0]
        branch = ref.removeprefix("refs/heads/") or status.branch
        span = ("HEAD", "^@{upstream}") if ref else ("HEAD", "--not", f"--remotes={remote}")
        done = await self._git("log", "-z", "--no-show-signature", "--max-count=200", "--format=%h %s", *span, "--")
        if done.code == 0:
            commits = [line for line in _text(done.out).split("\0") if line]
        return PushTarget(remote, branch, tuple(commits), await self._deploys(branch), new=not ref)

    async def _deploys(self, branch: str) -> bool:
        """Whether the workflow of the commit that is pushed runs for this branch; `main` where there is none."""
        data = await self.at_head(WORKFLOW)
        return _matches(branch, data) if data is not None else branch == "main"

    async def push(self, target: PushTarget) -> None:
        words = ["push", "--porcelain", *(["--set-upstream"] if target.new else []), "--", target.remote]
        done = await self._git(*words, f"HEAD:refs/heads/{target.branch}", deadline=HOOKS)
        if done.code == 0:
            return
        told = _text(done.out + b"\n" + done.err)
        if "non-fast-forward" in told or "fetch first" in told:
            raise OperationFailed(
                f"{target.remote} has commits that are not here",
                "the push was rejected; nothing changed there",
                "p pulls them first",
            )
        raise OperationFailed(f"git could not push to {target.remote}/{target.branch}", _last(done), "nothing changed there")

    async def pull(self) -> str:
        before = _text((await self._git("rev-parse", "--verify", "--quiet", "HEAD")).out).strip()
        done = await self._git("pull", "--quiet", "--ff-only", "--no-rebase", deadline=NETWORK)
        if done.code != 0:
            told = _last(done)
            hint = "merge or rebase by hand (ctrl+g)" if "fast-forward" in told else "nothing changed here"
            raise OperationFailed("git could not pull", told, hint)
        after = _text(await self._ask("rev-parse", "--verify", "HEAD", read_only=True)).strip()
        if before == after:
            return "nothing new"
        counted = await self._git("rev-list", "--count", f"{before}..{after}", "--")
        return f"{_text(counted.out).strip() or 'some'} commits, now at {after[:7]}"

    async def discard(self, changes: Sequence[Change]) -> None:
        untracked = [c.path for c in changes if c.untracked]
        new = [c.path for c in changes if c.index in "AC" or c.index == "R"]
        known = [c.path for c in changes if not c.untracked and c.path not in new]
        known += [c.original for c in changes if c.index == "R" and c.original]
        if known:
            await self._many(("restore", "--staged", "--worktree", "--source=HEAD"), known)
        if new:
            await self._many(("rm", "--force", "--quiet"), new)
        if untracked:
            await self._many(("clean", "--force", "--quiet"), untracked)

    def lazygit(self) -> str:
        return shutil.which("lazygit") or ""

    async def run_lazygit(self) -> int:
        program = self.lazygit()
        if not program:
            raise UsageError("lazygit is not installed", "", "install lazygit, or put it on PATH")
        return await process.foreground((program, "--path", str(self._root)), cwd=self._root)

    async def _many(self, words: Sequence[str], paths: Sequence[str]) -> None:
        """A command over names that may be many and may be anything."""
        if not paths:
            return
        if words[0] == "clean":
            # the one that takes no list on standard input
            for at in range(0, len(paths), 200):
                await self._ask(*words, "--", *paths[at : at + 200])
            return
        listed = "\0".join(paths).encode("utf-8", "surrogateescape")
        await self._ask(*words, "--pathspec-from-file=-", "--pathspec-file-nul", stdin=listed)

    async def _git(self, *args: str, stdin: bytes | None = None, deadline: float = LOCAL) -> process.Completed:
        variables = environment() | {
            "GIT_LITERAL_PATHSPECS": "1",
            # whatever git would open an editor for ends with an error instead
            "GIT_EDITOR": "false",
            "GIT_SEQUENCE_EDITOR": "false",
            "GIT_MERGE_AUTOEDIT": "no",
        }
        argv = ("git", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "-C", str(self._root), *args)
        return await process.run(argv, env=variables, stdin=stdin, deadline=deadline)

    async def _ask(self, *args: str, stdin: bytes | None = None, read_only: bool = False) -> bytes:
        done = await self._git(*args, stdin=stdin)
        if done.code == 0:
            return done.out
        told = _last(done)
        if "index.lock" in told:
            raise OperationFailed(f"git {args[0]} failed", "another git works in this repository", "wait for it, then try again")
        if read_only:
            raise CockpitError(f"git {args[0]} failed", told, f"is {self._root} a git repository?")
        raise OperationFailed(f"git {args[0]} failed", told)


def _changes(fields: Sequence[str]) -> Iterator[Change]:
    """The entries of `git status --porcelain=v2 -z`, which are separated by NUL; a rename has its old name in the next one."""
    rest = iter(fields)
    for entry in rest:
        if entry.startswith("1 "):
            _, letters, *_, path = entry.split(" ", 8)
            yield Change(path, letters[0], letters[1])
        elif entry.startswith("2 "):
            _, letters, *_, path = entry.split(" ", 9)
            yield Change(path, letters[0], letters[1], next(rest, ""))
        elif entry.startswith("u "):
            yield Change(entry.split(" ", 10)[10], "U", "U")
        elif entry.startswith("? "):
            yield Change(entry[2:], "?", "?")


def _matches(branch: str, workflow: bytes) -> bool:
    """Whether `on: push` of a workflow names the branch. What cannot be read counts as a deploy."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded: Any = YAML(typ="safe", pure=True).load(workflow.decode("utf-8", "replace"))
    except YAMLError:
        return True
    on = loaded.get("on", loaded.get(True)) if isinstance(loaded, dict) else None
    if isinstance(on, (str, list)):
        return "push" in ([on] if isinstance(on, str) else on)
    if not isinstance(on, dict) or "push" not in on:
        return False
    push = on["push"] if isinstance(on["push"], dict) else {}
    if "branches" in push:
        return _any(branch, push["branches"])
    if "branches-ignore" in push:
        return not _any(branch, push["branches-ignore"])
    return "tags" not in push and "tags-ignore" not in push


def _any(branch: str, patterns: object) -> bool:
    """The last pattern that matches decides; `!` turns it round."""
    found = False
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        words = str(pattern)
        if fnmatch.fnmatchcase(branch, words.removeprefix("!")):
            found = not words.startswith("!")
    return found


def _text(data: bytes) -> str:
    return os.fsdecode(data)


def _last(done: process.Completed) -> str:
    """The end of what git said, as one line: its verdict is there."""
    told = (done.err.strip() or done.out.strip()).decode("utf-8", "replace").splitlines()
    return "; ".join(plain(line).strip() for line in told[-_LAST_LINES:] if line.strip()) or f"status {done.code}"


async def _thread(call: Callable[[], T]) -> T:
    return await asyncio.to_thread(call)
