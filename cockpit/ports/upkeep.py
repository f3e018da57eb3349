"""What renewing a homelab needs from the world beside `ports`: registries, compose files, nix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cockpit.domain.images import ComposeService, Image


class Registry(Protocol):
    """Registries of container images, read without an account.

    UsageError: no such image or tag. Refused: an account is needed, or too many questions. Unreachable: anything else.
    """

    async def digest(self, image: Image) -> str:
        """`sha256:...` of what its tag stands for now: of all its architectures together."""

    async def tags(self, image: Image) -> tuple[str, ...]: ...

    async def source(self, image: Image, digest: str) -> str:
        """What the image says of where its source is; empty where it says nothing."""


class ComposeFiles(Protocol):
    """Compose files as text. UsageError, with file and line, for what does not parse."""

    def services(self, files: Sequence[tuple[str, bytes]]) -> tuple[ComposeService, ...]:
        """Of (path, content) of one project, in the order of compose."""

    def locked(self, path: str, data: bytes) -> dict[str, str]:
        """Service -> image, of a lock. UsageError where somebody wrote more into it."""

    def lock(self, images: Sequence[tuple[str, str]]) -> bytes:
        """The lock of (service, image)."""

    def with_images(self, path: str, data: bytes, changes: Sequence[tuple[ComposeService, str, str]]) -> bytes:
        """The file with (service, old image, new image) replaced where they stand, and nothing else."""


class Nix(Protocol):
    """Flakes of the repository, by the nix of this machine. UsageError where there is none."""

    async def update(self, folder: str) -> None:
        """Locks every input of the flake anew. Unreachable, OperationFailed."""
