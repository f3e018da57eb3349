"""A builder of images that has them already."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.domain.errors import CockpitError
from cockpit.domain.settings import HostSettings
from cockpit.domain.templates import DiskImage


class FakeImageBuilder:
    """`image` is what every build comes to, or `error`."""

    def __init__(self) -> None:
        self.image = DiskImage("/nix/store/x-homelab-image/homelab.qcow2", 3 << 30, "d" * 64)
        self.error: CockpitError | None = None
        self.built: list[tuple[str, str]] = []

    def command(self, host: HostSettings, commit: str) -> str:
        return f"nix build {host.flake_folder}?rev={commit}#image-{host.flake_attribute}"

    async def build(self, host: HostSettings, commit: str, told: Callable[[str], None]) -> DiskImage:
        self.built.append((host.name, commit))
        told("building the image")
        if self.error is not None:
            raise self.error
        return self.image

    async def read(self, path: str) -> DiskImage:
        return DiskImage(path, self.image.size, self.image.digest)
