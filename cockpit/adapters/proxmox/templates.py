"""ports.making.TemplateStore: an image becomes a guest, and the guest a template, by the API of Proxmox VE 8.4 or newer.

Earlier releases take no disk images by upload. Calls and parameters as `pvesh usage` and the API viewer have them.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path

from cockpit.adapters.proxmox.calls import Call
from cockpit.adapters.proxmox.cluster import ProxmoxCluster
from cockpit.adapters.proxmox.errors import CutShort
from cockpit.adapters.proxmox.upload import Upload
from cockpit.domain.templates import TAG, DiskImage, Template

UPLOAD = 4 * 3600.0
"""Seconds; one that stalls ends much sooner."""


class ProxmoxTemplates:
    def __init__(self, cluster: ProxmoxCluster) -> None:
        self._cluster = cluster

    def commands(self, template: Template, image: DiskImage) -> tuple[str, ...]:
        inbox = f"{template.node}:/var/lib/vz/import/{image.file}"
        return (
            f"{shlex.join(('scp', image.path, inbox))}  # where {template.inbox} is a folder there",
            _command(_create(template, image)),
            _command(_convert(template)),
        )

    async def sent(self, template: Template, image: DiskImage) -> bool:
        """GET /nodes/{node}/storage/{storage}/content"""
        rows = await self._cluster.contents(template.node, template.inbox, "import")
        volume = _volume(template, image)
        return any(isinstance(row, dict) and row.get("volid") == volume and row.get("size") == image.size for row in rows)

    async def send(self, template: Template, image: DiskImage, told: Callable[[int], None]) -> str:
        """POST /nodes/{node}/storage/{storage}/upload; the node compares the checksum before it puts the file in its place."""
        loop = asyncio.get_running_loop()
        fields = {"content": "import", "checksum-algorithm": "sha256", "checksum": image.digest}

        def sent(count: int) -> None:
            loop.call_soon_threadsafe(told, count)

        upload = Upload(Path(image.path), image.size, image.file, fields, sent)
        call = Call("POST", ("nodes", template.node, "storage", template.inbox, "upload"))
        return await self._cluster.upload(call, upload, UPLOAD)

    async def create(self, template: Template, image: DiskImage) -> str:
        """POST /nodes/{node}/qemu"""
        return await self._cluster.begin_task(_create(template, image))

    async def convert(self, template: Template) -> str:
        """POST /nodes/{node}/qemu/{vmid}/template"""
        return await self._cluster.begin_task(_convert(template))

    async def delete(self, node: str, vmid: int) -> str:
        """DELETE /nodes/{node}/qemu/{vmid}"""
        return await self._cluster.begin_task(Call("DELETE", ("nodes", node, "qemu", str(vmid))))

    async def discard(self, template: Template, image: DiskImage) -> None:
        """DELETE /nodes/{node}/storage/{storage}/content/{volume}"""
        path = ("nodes", template.node, "storage", template.inbox, "content", _volume(template, image))
        try:
            await self._cluster.send(Call("DELETE", path))
        except CutShort:
            return  # it is gone, or it is found there the next time


def _volume(template: Template, image: DiskImage) -> str:
    return f"{template.inbox}:import/{image.file}"


def _create(template: Template, image: DiskImage) -> Call:
    """UEFI without Microsoft's keys, which would refuse an unsigned boot loader; a console on the serial port."""
    return Call(
        "POST",
        ("nodes", template.node, "qemu"),
        (
            ("vmid", str(template.vmid)),
            ("name", template.name),
            ("description", template.description),
            ("tags", TAG),
            ("ostype", "l26"),
            ("bios", "ovmf"),
            ("efidisk0", f"{template.storage}:1,efitype=4m,pre-enrolled-keys=0"),
            ("scsihw", "virtio-scsi-single"),
            ("scsi0", f"{template.storage}:0,import-from={_volume(template, image)}"),
            ("ide2", f"{template.storage}:cloudinit"),
            ("boot", "order=scsi0"),
            ("serial0", "socket"),
            ("agent", "1"),
            ("net0", f"virtio,bridge={template.bridge}"),
            ("memory", "2048"),
            ("cores", "2"),
        ),
    )


def _convert(template: Template) -> Call:
    return Call("POST", ("nodes", template.node, "qemu", str(template.vmid), "template"))


def _command(call: Call) -> str:
    words = ["pvesh", "create", "/" + "/".join(call.path)]
    for name, value in call.parameters:
        words += [f"--{name}", value]
    return shlex.join(words)
