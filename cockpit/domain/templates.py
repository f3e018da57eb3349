"""The image of a host, and the template of a cluster that it becomes: what guests are cloned from."""

from __future__ import annotations

from msgspec import Struct

TAG = "cockpit-image"
"""The tag of every template that cockpit made; without it none is ever replaced."""


class DiskImage(Struct, frozen=True):
    """A qcow2 file on this machine."""

    path: str
    size: int
    digest: str
    """SHA-256, in hex."""

    @property
    def file(self) -> str:
        """What it is called on a storage: the same content has the same name, so it is sent once."""
        return f"{TAG}-{self.digest[:16]}.qcow2"


class Template(Struct, frozen=True):
    """A template as it is to be made."""

    cluster: str
    node: str
    vmid: int
    name: str
    storage: str
    """Where its disks are put."""
    inbox: str
    """The storage that the image is sent to: one of files, with the content `import`."""
    bridge: str
    description: str = ""

    @property
    def ref(self) -> str:
        return f"{self.cluster}/{self.vmid}"


def amount(size: int) -> str:
    """`812 MiB`, `2.1 GiB`."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{max(1, size >> 20)} MiB"
