"""ports.making.ImageBuilder: `nix build` of a commit, on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path

from cockpit.adapters.nixos import nix
from cockpit.domain.errors import BuildFailed, UsageError
from cockpit.domain.settings import HostSettings
from cockpit.domain.templates import DiskImage

ATTRIBUTE = "image-{}"
"""The package of the flake that is a host's image, by the attribute of the host: a folder with one qcow2."""
BUILD = 3 * 3600.0
"""Seconds; where nothing can be substituted it takes long."""
MAGIC = b"QFI\xfb"
CHUNK = 1 << 20


class NixImageBuilder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def _what(self, host: HostSettings, commit: str) -> str:
        return nix.flake(self._root, host.flake_folder, commit, ATTRIBUTE.format(host.flake_attribute))

    def command(self, host: HostSettings, commit: str) -> str:
        return shlex.join((*nix.BUILD, self._what(host, commit)))

    async def build(self, host: HostSettings, commit: str, told: Callable[[str], None]) -> DiskImage:
        hint = f"{self.command(host, commit)} shows it all"
        failed = f"the image of {host.name} was not built"
        out = await nix.build(self._root, self._what(host, commit), told, failed, hint, BUILD)
        found = await asyncio.to_thread(_images, Path(out))
        if len(found) != 1:
            raise BuildFailed(f"{out} has {len(found)} qcow2 files", "one was expected", "is it an image?")
        return await self.read(str(found[0]))

    async def read(self, path: str) -> DiskImage:
        try:
            return await asyncio.to_thread(_image, Path(path))
        except OSError as error:
            raise UsageError(f"{path} cannot be read", error.strerror or "") from None


def _images(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*.qcow2") if path.is_file())


def _image(path: Path) -> DiskImage:
    size, found = 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if size == 0 and not chunk.startswith(MAGIC):
                raise UsageError(f"{path} is no qcow2 image", "", "`qemu-img convert -O qcow2` makes one")
            size += len(chunk)
            found.update(chunk)
    if size == 0:
        raise UsageError(f"{path} is empty")
    return DiskImage(str(path.absolute()), size, found.hexdigest())
