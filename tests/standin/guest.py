"""A guest as `proxmox_vm_qemu` describes it, and as Proxmox keeps it: each made from the other."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

Values = dict[str, Any]
Config = dict[str, str]

PLAIN = ("name", "description", "tags", "bios", "scsihw", "ciuser", "ipconfig0", "nameserver", "searchdomain", "machine")
"""Arguments that are settings of the same name."""
_DRIVE = re.compile(r"(?:ide|sata|scsi|virtio)\d+")
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text: str) -> int:
    """Bytes of `64G`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    if found is None:
        raise ValueError(f"{text!r} is no size")
    return int(float(found[1]) * _SIZES[found[2]])


def options(value: str) -> tuple[str, dict[str, str]]:
    """(what stands first, the options) of `local-lvm:vm-101-disk-0,size=64G`."""
    first, *rest = value.split(",")
    return first, dict(part.split("=", 1) for part in rest if "=" in part)


def settings(wanted: Values) -> Config:
    """The configuration that is asked for, without drives. What is empty is to be removed."""
    out = {name: str(wanted.get(name) or "") for name in PLAIN}
    out["memory"] = str(wanted["memory"] or 512)
    out["agent"] = str(wanted.get("agent") or 0)
    out["onboot"] = "1" if wanted.get("start_at_node_boot") else "0"
    out["sshkeys"] = quote(wanted["sshkeys"], safe="") if wanted.get("sshkeys") else ""
    for cpu in wanted.get("cpu") or ():
        out["cores"], out["cpu"] = str(cpu.get("cores") or 1), cpu.get("type") or "host"
    for serial in wanted.get("serial") or ():
        out[f"serial{serial['id']}"] = serial.get("type") or "socket"
    for card in wanted.get("network") or ():
        model = f"{card['model']}={card['macaddr']}" if isinstance(card.get("macaddr"), str) else card["model"]
        more = [f"{key}={card[key]}" for key in ("bridge", "tag") if card.get(key) is not None]
        out[f"net{card['id']}"] = ",".join([model, *more])
    for order in wanted.get("startup_shutdown") or ():
        pairs = (("order", "order"), ("up", "startup_delay"), ("down", "shutdown_timeout"))
        out["startup"] = ",".join(f"{key}={order[name]}" for key, name in pairs if (order.get(name) or -1) >= 0)
    return out


def new_drive(disk: Values) -> str:
    """The value that makes a disk anew."""
    if disk.get("type") == "cloudinit":
        return f"{disk['storage']}:cloudinit"
    return f"{disk['storage']}:{size(disk['size']) >> 30}"


def new_efidisk(disk: Values) -> str:
    keys = int(bool(disk.get("pre_enrolled_keys")))
    return f"{disk['storage']}:1,efitype={disk.get('efitype') or '4m'},pre-enrolled-keys={keys}"


def seen(kept: Values, config: Config, *, node: str, running: bool, address: str | None) -> Values:
    """`kept` (a state, or a plan that was applied) with everything that Proxmox says about it now."""
    out = dict(kept)
    out |= {name: config.get(name) for name in PLAIN if name in config or kept.get(name) is not None}
    out["id"] = f"{node}/qemu/{kept['vmid']}"
    out["target_node"] = out["current_node"] = node
    out["memory"] = int(config.get("memory", 512))
    if kept.get("agent") is not None:
        out["agent"] = int(options(config.get("agent", "0"))[0].removeprefix("enabled="))
    if kept.get("start_at_node_boot") is not None:
        out["start_at_node_boot"] = str(config.get("onboot", "0")) == "1"
    if kept.get("power_state") is not None:
        out["power_state"] = "running" if running else "stopped"
    keys = config.get("sshkeys")
    out["sshkeys"] = unquote(keys) if keys else None
    out["default_ipv4_address"] = address
    out["cpu"] = [
        cpu | {"cores": int(config.get("cores", 1)), "type": options(config.get("cpu", "kvm64"))[0]}
        for cpu in kept.get("cpu") or ()
    ]
    ports = sorted(key for key in config if re.fullmatch(r"serial\d", key))
    out["serial"] = [{"id": int(key.removeprefix("serial")), "type": config[key]} for key in ports]
    cards = [(card, config.get(f"net{card['id']}")) for card in kept.get("network") or ()]
    out["network"] = [_card(card, value) for card, value in cards if value is not None]
    out["disk"] = _disks(kept.get("disk") or (), config)
    out["efidisk"] = [_efidisk(disk, config["efidisk0"]) for disk in kept.get("efidisk") or () if "efidisk0" in config]
    if kept.get("startup_shutdown"):
        order = dict(part.split("=", 1) for part in config.get("startup", "").split(",") if part)
        out["startup_shutdown"] = [
            {"order": int(order.get("order", -1)), "startup_delay": int(order.get("up", -1)),
             "shutdown_timeout": int(order.get("down", -1))}
        ]  # fmt: skip
    return out


def _card(card: Values, value: str) -> Values:
    first, more = options(value)
    model, _, mac = first.partition("=")
    tag = int(more["tag"]) if "tag" in more else None
    return card | {"model": model, "macaddr": mac or None, "bridge": more.get("bridge"), "tag": tag}


def _disks(kept: Any, config: Config) -> list[Values]:  # noqa: ANN401
    """In the order of the configuration; what it does not know comes last."""
    out, known = [], set()
    for disk in kept:
        known.add(disk["slot"])
        if disk["slot"] in config:
            out.append(_disk(disk, config[disk["slot"]]))
    strange = sorted(key for key in config if _DRIVE.fullmatch(key) and key not in known)
    empty = {name: None for disk in kept for name in disk}
    return out + [_disk(empty | {"slot": slot, "size": "", "format": ""}, config[slot]) for slot in strange]


def _disk(disk: Values, value: str) -> Values:
    volume, more = options(value)
    if "cloudinit" in volume or more.get("media") == "cdrom":
        return disk | {"type": "cloudinit", "storage": volume.partition(":")[0], "size": disk.get("size") or None}
    found = disk | {"type": "disk", "storage": volume.partition(":")[0]}
    told = more.get("size", "0")
    if not disk.get("size") or size(disk["size"]) != size(told):
        found["size"] = told
    if not disk.get("format"):
        found["format"] = None
    return found


def _efidisk(disk: Values, value: str) -> Values:
    volume, more = options(value)
    return disk | {
        "storage": volume.partition(":")[0],
        "efitype": more.get("efitype", "4m"),
        "pre_enrolled_keys": more.get("pre-enrolled-keys", "0") == "1",
        "format": "raw",
    }
