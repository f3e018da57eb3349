"""Commits of the homelab's git repository, by the git command line."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from cockpit.adapters import process
from cockpit.domain.errors import CockpitError, Refused, UsageError
from cockpit.domain.repository import Commit, TreeState

_FORMAT = "%H%x00%an%x00%ct%x00%s%x00%B"
"""With -z every field ends with NUL, the one byte that no commit can hold."""
_ELSEWHERE = {
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR",
    "GIT_NAMESPACE", "GIT_PREFIX", "SOPS_AGE_KEY",
}  # fmt: skip
"""What would lead git to another repository (a hook's environment), and what it must not see."""
_LFS = b"version https://git-lfs.github.com/spec/"


def environment() -> dict[str, str]:
    """What git sees of this process: nothing that leads it elsewhere, and no way to ask."""
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat"}


class GitRepository:
    """ports.Repository over a work tree."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def _git(self, *args: str, stdin: bytes | None = None) -> process.Completed:
        argv = ("git", "-c", "core.quotepath=off", "-C", str(self._root), *args)
        return await process.run(argv, env=environment(), stdin=stdin, deadline=60.0)

    async def _ask(self, *args: str) -> str:
        done = await self._git(*args)
        if done.code != 0:
            raise CockpitError(f"git {args[0]} failed", done.complaint, f"is {self._root} a git repository?")
        return done.text

    async def tree(self) -> TreeState:
        text = await self._ask("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all")
        branch: str | None = None
        ahead = behind = 0
        modified: list[str] = []
        untracked: list[str] = []
        fields = iter(text.split("\0"))
        for entry in fields:
            if entry.startswith("# branch.head "):
                name = entry.removeprefix("# branch.head ")
                branch = None if name == "(detached)" else name
            elif entry.startswith("# branch.ab "):
                plus, minus = entry.removeprefix("# branch.ab ").split()
                ahead, behind = int(plus), -int(minus)
            elif entry.startswith("1 "):
                modified.append(entry.split(" ", 8)[8])
            elif entry.startswith("2 "):
                modified.append(entry.split(" ", 9)[9])
                next(fields, "")
            elif entry.startswith("u "):
                modified.append(entry.split(" ", 10)[10])
            elif entry.startswith("? "):
                untracked.append(entry[2:])
        head = await self._commits("-1", "HEAD")
        return TreeState(branch, head[0] if head else None, ahead, behind, tuple(modified), tuple(untracked))

    async def _commits(self, *args: str, stdin: bytes | None = None) -> tuple[Commit, ...]:
        done = await self._git(
            "log", "-z", "--no-show-signature", "--no-color", f"--format=tformat:{_FORMAT}", *args, stdin=stdin
        )
        if done.code != 0:
            return ()
        fields = done.text.split("\0")
        records = (fields[at : at + 5] for at in range(0, len(fields) - 5, 5))
        return tuple(Commit(sha=r[0], author=r[1], time=float(r[2] or 0), subject=r[3], message=r[4]) for r in records)

    async def resolve(self, revision: str) -> Commit:
        if not _harmless(revision):
            raise UsageError(f"{revision!r} is no revision", "", "give a commit, a branch or a tag")
        done = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if done.code != 0:
            raise UsageError(
                f"there is no commit {revision!r}", f"not in {self._root}", "git fetch, if it was pushed from elsewhere"
            )
        commits = await self._commits("-1", done.text.strip())
        if not commits:
            raise UsageError(f"the commit {revision!r} cannot be read")
        return commits[0]

    async def check_deployable(self, commit: str, folders: Sequence[str]) -> None:
        if (await self._ask("rev-parse", "--is-shallow-repository")).strip() == "true":
            raise Refused(
                "this clone is shallow",
                "the host could not be told what it lacks",
                "git fetch --unshallow (actions/checkout: fetch-depth: 0)",
            )
        listing = await self._ask("ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--", *folders)
        small: dict[str, str] = {}
        for entry in listing.split("\0"):
            if not entry:
                continue
            meta, _, path = entry.partition("\t")
            mode, kind, oid, size = meta.split()
            if kind == "commit" or mode == "160000":
                raise Refused(
                    f"{path} is a submodule",
                    "its content is not in the commit",
                    "copy it in (git subtree), or move it out of the deployed folders",
                )
            if size.isdigit() and 100 < int(size) < 300:
                small[oid] = path
        for oid, path in small.items():
            if (await self._git("cat-file", "blob", oid)).out.startswith(_LFS):
                raise Refused(
                    f"{path} is a Git LFS pointer",
                    "the host would get the pointer, not the file",
                    f"git lfs untrack {path}, and commit the file itself",
                )

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        if not (_harmless(ancestor) and _harmless(descendant)):
            return False
        return (await self._git("merge-base", "--is-ancestor", ancestor, descendant)).code == 0

    async def log(self, include: str, exclude: Sequence[str] = (), limit: int = 1000) -> tuple[Commit, ...]:
        if not _harmless(include):
            return ()
        known = await self.known(exclude) if exclude else ()
        return await self._commits(f"--max-count={limit}", include, *(f"^{sha}" for sha in known), "--")

    async def read(self, commit: str, path: str) -> bytes:
        if not _harmless(commit):
            raise UsageError(f"{commit!r} is no commit")
        done = await self._git("cat-file", "blob", f"{commit}:{path}")
        if done.code != 0:
            raise UsageError(f"{path} is not in commit {commit[:7]}", done.complaint)
        return done.out

    async def files_in(self, commit: str, folder: str) -> tuple[str, ...]:
        if not _harmless(commit):
            return ()
        done = await self._git("ls-tree", "-z", "--full-tree", f"{commit}:{folder.strip('/')}")
        entries = (entry.partition("\t") for entry in done.text.split("\0") if entry)
        return tuple(name for meta, _, name in entries if meta.split()[1] == "blob") if done.code == 0 else ()

    async def tree_id(self, commit: str, path: str) -> str | None:
        done = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
        return done.text.strip() if done.code == 0 else None

    async def known(self, commits: Sequence[str]) -> tuple[str, ...]:
        if not commits:
            return ()
        asked = "".join(f"{sha}^{{commit}}\n" for sha in commits if _harmless(sha)).encode()
        done = await self._git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
        found = {line.split()[0] for line in done.text.splitlines() if line.endswith(" commit")}
        return tuple(sha for sha in commits if sha in found)

    async def pack(self, commit: str, haves: Sequence[str]) -> AsyncIterator[bytes]:
        known = await self.known(haves)
        revisions = "".join([f"{commit}\n", *(f"^{sha}\n" for sha in known)]).encode()
        argv = ("git", "-C", str(self._root), "pack-objects", "--revs", "--thin", "--stdout", "--quiet", "--delta-base-offset")
        async for chunk in process.chunks(argv, stdin=revisions, env=environment()):
            yield chunk

    async def subjects(self, commits: Sequence[str]) -> dict[str, Commit]:
        known = await self.known(tuple(dict.fromkeys(commits)))
        if not known:
            return {}
        found = await self._commits("--no-walk=unsorted", "--stdin", stdin="".join(f"{sha}\n" for sha in known).encode())
        return {commit.sha: commit for commit in found}


def _harmless(revision: str) -> bool:
    """Whether git takes it for a revision: some come from hosts and from the command line."""
    return bool(revision) and not revision.startswith(("-", "^")) and not any(c in revision for c in "\0\n")
