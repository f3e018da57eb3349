"""The repository's files as they stand: what git says of each, which are encrypted, and opening one."""

from __future__ import annotations

import asyncio

from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.files import MOST_BYTES, MOST_FILES, Encryption, Entry, FilesSnapshot, OpenFile, TreeFile
from cockpit.domain.secret import Secret
from cockpit.domain.text import plain
from cockpit.observe.observation import Observer
from cockpit.ports import Clock, SecretStore, WorkTree

BATCH = 60
AT_ONCE = 500
"""Entries that are looked at before others get their turn: a tree may have thousands."""
_SEALABLE = (".yaml", ".yml", ".json", ".env", ".ini", ".tfvars", ".enc", ".sops")
_MARK = b"ENC[AES256_GCM,"


class Files:
    """Read every few seconds while a pane shows it, and not at all before one did."""

    def __init__(self, tree: WorkTree, secrets: SecretStore, clock: Clock) -> None:
        self._tree = tree
        self._secrets = secrets
        self._known: dict[str, tuple[int, Encryption]] = {}
        self._last: FilesSnapshot | None = None
        self._task: asyncio.Task[None] | None = None
        self.observer: Observer[FilesSnapshot] = Observer(self.read, clock)

    def show(self, shown: bool) -> None:
        self.observer.show(shown)
        if shown and self._task is None:
            self._task = asyncio.create_task(self.observer.run(), name="files")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def read(self) -> FilesSnapshot:
        status = await self._tree.status()
        entries, left_out = await self._tree.entries(MOST_FILES)
        await self._look_into(entries)
        changes = {change.path: change for change in status.changes}
        files = {e.path: TreeFile(e.path, changes.get(e.path), self._known[e.path][1], e.link) for e in entries}
        for path, change in changes.items():
            files.setdefault(path, TreeFile(path, change))
        snapshot = FilesSnapshot(status, tuple(files[path] for path in sorted(files)), left_out)
        if snapshot != self._last:
            self._last = snapshot
        # the same object while nothing changed, so that nobody builds anew what they made of it
        return self._last or snapshot

    async def _look_into(self, entries: tuple[Entry, ...]) -> None:
        """Only what changed since the last reading is opened, and only what can be encrypted or ought to be."""
        asked: list[Entry] = []
        known: dict[str, tuple[int, Encryption]] = {}
        for number, entry in enumerate(entries):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            before = self._known.get(entry.path)
            governed = self._secrets.governs(entry.path)
            if before is not None and before[0] == entry.stamp and (before[1] is not Encryption.NONE) >= governed:
                known[entry.path] = before
                continue
            known[entry.path] = (entry.stamp, Encryption.NONE)
            if (
                not entry.link
                and entry.size <= MOST_BYTES
                and (governed or entry.path.lower().endswith(_SEALABLE) or ".env" in entry.path)
            ):
                asked.append(entry)
        self._known = known
        for at in range(0, len(asked), BATCH):
            batch = asked[at : at + BATCH]
            data = await self._tree.read_many([e.path for e in batch], MOST_BYTES)
            for entry in batch:
                if entry.path in data:
                    known[entry.path] = (entry.stamp, self._encryption(entry.path, data[entry.path]))

    def _encryption(self, path: str, data: bytes) -> Encryption:
        if _MARK in data and self._secrets.is_encrypted(path, data):
            return Encryption.ENCRYPTED
        return Encryption.EXPOSED if data.strip() and self._secrets.governs(path) else Encryption.NONE

    async def open(self, path: str) -> OpenFile:
        """A file for an editor; an encrypted one is decrypted, in memory. Binary and large files are refused in words."""
        content = await self._tree.read(path, MOST_BYTES)
        head = await self._tree.at_head(path)
        if not self._secrets.is_encrypted(path, content.data):
            _text(path, content.data)
            base = Secret(head) if head is not None and not self._secrets.is_encrypted(path, head) else None
            return OpenFile(path, Secret(content.data), base, content.digest)
        text = await self._secrets.decrypt(path, content.data)
        _text(path, text.reveal())
        base, note = await self._base(path, content.data, text, head)
        readers = self._secrets.readers(path, content.data)
        return OpenFile(path, text, base, content.digest, True, readers, _plain_lines(content.data), note)

    async def _base(self, path: str, data: bytes, text: Secret, head: bytes | None) -> tuple[Secret | None, str]:
        if head is None:
            return None, ""
        if head == data:
            return text, ""
        if not self._secrets.is_encrypted(path, head):
            return Secret(head), "HEAD has it in plain text"
        try:
            return await self._secrets.decrypt(path, head), ""
        except CockpitError as error:
            return None, f"HEAD: {error.why or error.what}"


def _text(path: str, data: bytes) -> None:
    shown = plain(path)
    if b"\0" in data:
        raise UsageError(
            f"{shown} is binary", f"{len(data):,} bytes that are no text", "it can be staged, committed and discarded"
        )
    try:
        data.decode()
    except UnicodeDecodeError:
        raise UsageError(
            f"{shown} is not UTF-8", "saving it would change its bytes", "convert it, or use an editor that keeps them"
        ) from None


def _plain_lines(data: bytes) -> frozenset[str]:
    """Lines that hold no cipher text: they are no secret in this file, because anybody can read them in git."""
    found = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    return frozenset(line for line in found if line and "ENC[" not in line)
