"""System calls of a transaction, as strace wrote them, and what design calls durable: the order of writes and syncs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CALLS = "fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,execve"
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_UNFINISHED = re.compile(r"^(?P<head>\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(?P<tail>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A call at the moment when it was finished."""

    name: str
    texts: tuple[str, ...]
    """Its strings: paths, or the arguments of a program."""
    on: str
    """The path of its descriptor."""

    def __str__(self) -> str:
        return f"{self.name} {self.on} {' '.join(self.texts)}"


def parse(text: str, *, failed: bool = False) -> list[Call]:
    """Calls in the order in which they were finished, without those that failed."""
    open_calls: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        pid, rest = match["pid"], match["rest"]
        if unfinished := _UNFINISHED.match(rest):
            open_calls[pid] = unfinished["head"]
            continue
        if resumed := _RESUMED.match(rest):
            rest = open_calls.pop(pid, "") + resumed["tail"]
        if (call := _CALL.match(rest)) and (failed or not call["result"].startswith("-")):
            descriptor = _DESCRIPTOR.search(call["args"])
            found.append(Call(call["name"], tuple(_STRING.findall(call["args"])), descriptor[1] if descriptor else ""))
    return found


@dataclass
class Order:
    """Asserts on a trace; remembers which syncs it relied on."""

    calls: Sequence[Call]
    relied: set[int] = field(default_factory=set)

    def has(self, test: Callable[[Call], bool], after: int = -1) -> bool:
        return any(map(test, self.calls[after + 1 :]))

    def first(self, what: str, test: Callable[[Call], bool], after: int = -1) -> int:
        """Index of the first such call behind `after`."""
        for index in range(after + 1, len(self.calls)):
            if test(self.calls[index]):
                return index
        raise AssertionError(f"not in the trace: {what}")

    def last(self, what: str, test: Callable[[Call], bool], before: int) -> int:
        found = [index for index in range(before) if test(self.calls[index])]
        assert found, f"not in the trace: {what}"
        return found[-1]

    def ran(self, program: str, *arguments: str, after: int = -1) -> int:
        """When a program was started with these among its arguments."""
        return self.first(
            f"{program} {' '.join(arguments)}",
            lambda c: c.name == "execve" and c.texts[0].endswith(program) and all(a in c.texts[1:] for a in arguments),
            after,
        )

    def synced(self, path: str, after: int, before: int, *, whole: bool = False) -> int:
        """A file or folder (`whole`: its file system) was synced between two calls."""
        names = ("syncfs", "sync") if whole else ("fsync", "fdatasync", "syncfs", "sync")
        end = self.calls[before] if before < len(self.calls) else "the end"
        at = self.first(
            f"a sync of {path} between {self.calls[after]} and {end}",
            lambda c: c.name in names and (c.on == path or (whole and c.name == "sync")),
            after,
        )
        assert at < before, f"{path} was synced only after {end}"
        self.relied.add(at)
        return at

    def durable_file(self, path: str, before: int, after: int = -1) -> int:
        """Content synced, then renamed, then the folder synced: all before another call. Index of the folder's sync."""
        renamed = self.first(f"a rename to {path}", lambda c: c.name.startswith("rename") and c.texts[-1] == path, after)
        content = self.last(f"a sync of {path}.tmp", lambda c: c.name == "fsync" and c.on == f"{path}.tmp", renamed)
        self.relied.add(content)
        return self.synced(path.rpartition("/")[0], renamed, before)

    def durable_link(self, path: str, before: int) -> int:
        """A symlink, made or renamed into place, and its folder synced before another call."""
        made = self.first(
            f"a link {path}",
            lambda c: (c.name.startswith("rename") or c.name.startswith("symlink")) and c.texts[-1] == path,
        )
        return self.synced(path.rpartition("/")[0], made, before)
