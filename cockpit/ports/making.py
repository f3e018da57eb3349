"""What making a homelab needs from the world, as `cockpit.ports` is what running one needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cockpit.domain.files import NewFile
from cockpit.domain.keys import KeyPair
from cockpit.domain.secret import Secret
from cockpit.domain.settings import HostSettings
from cockpit.domain.templates import DiskImage, Template


class Keys(Protocol):
    """Key pairs of age and ssh, in memory, and a person's own file of age keys."""

    def age(self) -> KeyPair: ...

    def ssh(self) -> KeyPair:
        """ed25519, as sshd wants a host key; the public half has no comment."""

    def public(self, private: Secret) -> tuple[str, ...]:
        """Public halves of an age identity file or an ssh private key; empty for what is neither, or has a passphrase."""

    def valid(self, recipient: str) -> bool:
        """Whether secrets can be encrypted for it."""

    def own(self) -> tuple[str, ...]:
        """age recipients whose private halves are on this machine, where sops finds them."""

    @property
    def place(self) -> Path:
        """The file of the person's own keys."""

    def keep(self, private: Secret) -> None:
        """Writes that file, mode 0600. UsageError where there is one: it is never overwritten."""

    def forget(self, private: Secret) -> None:
        """Takes back `keep`."""


class NewTree(Protocol):
    """A folder that comes to be whole or not at all; until `finish` nobody sees it."""

    @property
    def root(self) -> Path:
        """Where it is being made."""

    async def write(self, files: Mapping[str, NewFile]) -> None: ...

    async def commit(self, message: str, author: tuple[str, str] | None) -> str:
        """Makes it a git repository with one commit of everything; (name, address) where the person's git has none."""

    async def finish(self) -> None:
        """It stands where it was asked for. Refused where something else stands there by now."""

    async def discard(self) -> None:
        """Nothing of it is left."""


class FileSet(Protocol):
    """Files of an existing tree that change together."""

    async def read(self, folders: Sequence[str]) -> dict[str, bytes]:
        """Files by path, of these files and below these folders."""

    async def replace(self, files: Mapping[str, bytes | None]) -> None:
        """All of them or none, also when it is interrupted; None takes one away."""

    async def left(self, folders: Sequence[str]) -> tuple[str, ...]:
        """What a `replace` that was killed left beside the files at the top, and below these folders."""


class ImageBuilder(Protocol):
    """Makes images of hosts on this machine."""

    def command(self, host: HostSettings, commit: str) -> str:
        """What a person would type to get the same."""

    async def build(self, host: HostSettings, commit: str, told: Callable[[str], None]) -> DiskImage:
        """Of the host as a commit has it; `told` gets the lines of the build. BuildFailed."""

    async def read(self, path: str) -> DiskImage:
        """A file that was built elsewhere. UsageError when it is no qcow2."""


class TemplateStore(Protocol):
    """Where templates of one Proxmox VE cluster are made. What starts a task answers with its UPID; nothing is asked twice:
    OutcomeUnknown where the answer to a change was lost."""

    def commands(self, template: Template, image: DiskImage) -> tuple[str, ...]:
        """What a person would type to get the same."""

    async def sent(self, template: Template, image: DiskImage) -> bool:
        """Whether the image lies in the template's inbox already, whole."""

    async def send(self, template: Template, image: DiskImage, told: Callable[[int], None]) -> str:
        """Uploads the image; `told` gets the bytes so far. Unreachable when it was cut: nothing is there then."""

    async def create(self, template: Template, image: DiskImage) -> str:
        """A guest with the image as its disk."""

    async def convert(self, template: Template) -> str:
        """Makes that guest a template."""

    async def delete(self, node: str, vmid: int) -> str: ...

    async def discard(self, template: Template, image: DiskImage) -> None:
        """Removes the image from the inbox."""
