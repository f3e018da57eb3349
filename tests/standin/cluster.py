"""A cluster that guests can be made in: fakepve with a template, and with what it lacks for that.

Added: disks that a change of the configuration allocates, what a running guest takes at once and what waits for its next start,
disks that grow, uploads of images, and disks made from them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakepve import PveError, TaskError
from fakepve.qemu import DRIVE_KEY, split_drive, volume_ref, with_mac

from tests.contract.pve import GIB, Pve, Serving
from tests.standin import guest

TEMPLATE, TEMPLATE_ID = "homelab-template", 9000
_NEW_DRIVE = re.compile(r"[^/:\s]+:(\d+(\.\d+)?|cloudinit)")
_HOT = re.compile(r"(?:ide|sata|scsi|virtio|net)\d+|ciuser|cipassword|sshkeys|ipconfig\d+|nameserver|searchdomain")
"""What a running guest takes at once, with the hotplug that Proxmox has by default."""


class Provisioned(Pve):
    """`uploads` has (storage, content, filename, bytes) of each upload."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.uploads: list[tuple[str, str, str, int]] = []
        self.client_max_size = 1 << 30
        self.storages["local"]["content"] = "iso,vztmpl,backup,import"
        self.storages["local-lvm"]["avail"] = 1000 * GIB

    def _routes_zz(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [*super()._routes_zz(), ("PUT", "/nodes/{node}/qemu/{vmid}/resize", self._resize)]

    async def _apply_config(self, vm: Any, user: str, p: dict[str, Any]) -> None:  # noqa: ANN401
        values = dict(p)
        for key, value in p.items():
            if DRIVE_KEY.match(key) and _NEW_DRIVE.fullmatch(split_drive(str(value))[0]):
                values[key], _ = self._qm_new_drive(vm.vmid, key, str(value), None)
            elif re.fullmatch(r"net\d+", key):
                values[key] = with_mac(_keeping_address(str(value), str(vm.config.get(key, ""))))
            elif key == "tags":
                values[key] = ";".join(sorted({tag.lower() for tag in re.split(r"[;, ]+", str(value)) if tag}))
        await super()._apply_config(vm, user, values)
        for key, value in dict(vm.pending).items():
            if _HOT.fullmatch(key):
                del vm.pending[key]
                if value is None:
                    vm.config.pop(key, None)
                else:
                    vm.config[key] = value
            elif value is not None and str(value) == str(vm.config.get(key)):
                del vm.pending[key]

    async def _resize(self, values: dict[str, Any], user: str) -> str:
        vm = self.find(values["node"], values["vmid"])
        key = values["disk"]
        _, now = split_drive(str(vm.config[key]))
        if guest.size(values["size"]) < guest.size(now["size"]):
            raise PveError(500, "shrinking disks is not supported")

        async def body() -> None:
            vm.config[key] = re.sub(r"size=[^,]+", f"size={values['size']}", str(vm.config[key]))

        upid: str = await self.task(vm.node, "resize", vm.vmid, user, body, vm=vm)
        return upid

    # images

    async def _upload(self, request: Any) -> Any:  # noqa: ANN401
        from fakepve.server import USER, ok

        name, node = request.match_info["storage"], request.match_info["node"]
        user = request[USER]
        store = self._active_store(name, node)
        self.require(user, f"/storage/{name}", "Datastore.AllocateTemplate")
        fields, filename, data = _form(request.headers["Content-Type"], await request.read())
        content = fields.get("content", "")
        if content not in store["content"].split(","):
            raise PveError(500, f"storage '{name}' does not support '{content}' content")
        if content == "import" and not re.fullmatch(r"[\w.+-]+\.(qcow2|raw|vmdk|ova)", filename):
            raise PveError(400, "Parameter verification failed.", {"filename": "invalid filename or wrong extension"})

        async def body() -> None:
            size = len(data)
            self.uploads.append((name, content, filename, size))
            if fields.get("checksum", "") not in ("", hashlib.new(fields["checksum-algorithm"], data).hexdigest()):
                raise TaskError("checksum mismatch")
            kept = {"content": content, "format": filename.rpartition(".")[2], "size": size, "ctime": int(time.time())}
            store.setdefault("volumes", {})[f"{content}/{filename}"] = kept

        return ok(await self.task(node, "imgcopy", "", user, body))

    def _qm_check_drive(self, user: str, vmid: int, pool: Any, key: str, value: str, default: Any) -> None:  # noqa: ANN401
        source = split_drive(value)[1].get("import-from")
        if source is not None:
            sid, name = volume_ref(source)
            if name not in self.storages.get(sid, {}).get("volumes", {}):
                raise PveError(500, f"volume '{source}' does not exist")
            self.require(user, f"/storage/{sid}", "Datastore.Audit|Datastore.AllocateSpace|Datastore.AllocateTemplate")
        super()._qm_check_drive(user, vmid, pool, key, value, default)

    def _qm_new_drive(self, vmid: int, key: str, value: str, default: Any) -> tuple[str, list[str]]:  # noqa: ANN401
        volume, more = split_drive(value)
        source = more.pop("import-from", None)
        if source is None:
            made: tuple[str, list[str]] = super()._qm_new_drive(vmid, key, value, default)
            return made
        if not volume.endswith(":0"):
            raise TaskError(f"{key}: the size of an imported disk is that of its image")
        rest = [f"{name}={text}" for name, text in more.items()]
        imported: tuple[str, list[str]] = super()._qm_new_drive(
            vmid, key, ",".join([f"{volume.partition(':')[0]}:4", *rest]), default
        )
        return imported


class Cluster(Serving):
    """Serves `Provisioned`. `guest` finds by name; `url` and `certificate` are what a client needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Provisioned)

    @property
    def provisioned(self) -> Provisioned:
        assert isinstance(self.pve, Provisioned)
        return self.pve

    @property
    def url(self) -> str:
        return f"https://{self.address}/api2/json"

    def guest(self, name: str) -> Any:  # noqa: ANN401 - fakepve has no types
        """The virtual machine of this name, or None."""
        return next((vm for vm in self.pve.vms if vm.name == name), None)

    def admit(self, token_id: str, secret: str) -> None:
        """An API token that is good from now on."""
        self.pve.apitokens = {**self.pve.apitokens, token_id: secret}

    def add_template(self, name: str = TEMPLATE, vmid: int = TEMPLATE_ID, node: str = "pve1") -> None:
        """As `cockpit image upload` leaves it."""
        volumes = self.pve.storages["local-lvm"].setdefault("volumes", {})
        for number, size in enumerate((528 << 10, 4 * GIB)):
            volumes[f"base-{vmid}-disk-{number}"] = {
                "content": "images", "format": "raw", "size": size, "vmid": vmid, "ctime": int(time.time())
            }  # fmt: skip
        self.pve.add_vm(
            vmid, name, node=node, template=True, config={
                "name": name, "memory": 1024, "cores": 1, "bios": "ovmf", "scsihw": "virtio-scsi-single", "agent": "1",
                "serial0": "socket", "boot": "order=scsi0", "description": "an image", "tags": "cockpit-image", "template": 1,
                "efidisk0": f"local-lvm:base-{vmid}-disk-0,efitype=4m,pre-enrolled-keys=0,size=528K",
                "scsi0": f"local-lvm:base-{vmid}-disk-1,size=4G",
                "ide2": f"local-lvm:vm-{vmid}-cloudinit,media=cdrom", "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
            },
        )  # fmt: skip

    def change(self, name: str, **settings: str) -> None:
        """An edit that somebody makes over the API, behind tofu's back."""
        vm = self.guest(name)
        self.do(self.pve._apply_config(vm, "root@pam", settings))
        self.do(asyncio.sleep(0))


def _form(kind: str, body: bytes) -> tuple[dict[str, str], str, bytes]:
    """(fields, name of the file, the file) of multipart/form-data, which the node's own parser wants in this order."""
    between = b"\r\n--" + kind.partition("boundary=")[2].encode()
    *parts, end = (b"\r\n" + body).split(between)[1:]
    if not end.startswith(b"--"):
        raise PveError(400, "bad upload request")
    fields: dict[str, str] = {}
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = dict(re.findall(r'(\w+)="([^"]*)"', head.decode()))
        if "filename" in named:
            if part is not parts[-1] or named["name"] != "filename":
                raise PveError(400, "the file is the last part, and is called filename")
            return fields, named["filename"], content
        fields[named["name"]] = content.decode()
    raise PveError(400, "there is no file")


def _keeping_address(value: str, now: str) -> str:
    """A network card without an address keeps the one that it has."""
    model, _, mac = now.split(",")[0].partition("=")
    first, *rest = value.split(",")
    return ",".join([f"{first}={mac}" if mac and first == model else first, *rest])


@contextmanager
def serving(folder: Path) -> Iterator[Cluster]:
    """A cluster with a template, on a loopback port. `folder` is for its certificate."""
    found = Cluster(folder)
    found.add_template()
    found.start()
    try:
        yield found
    finally:
        found.stop()
