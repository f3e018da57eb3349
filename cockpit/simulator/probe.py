"""What the probe (cockpit/adapters/nixos/probe.sh) would print on a simulated host: KEY NUL VALUE NUL."""

from __future__ import annotations

import json
import time
from typing import Any

from cockpit.simulator.host import Host
from cockpit.simulator.transaction import SWITCH

PROFILES = "/nix/var/nix/profiles"


def printed(host: Host, rows: list[dict[str, Any]], *, deep: bool) -> bytes:
    """`rows` is the engine's list of containers."""
    fields = _quick(host, rows, 200 if deep else 12)
    if deep:
        fields |= _deep(host)
    return "".join(f"{key}\0{value}\0" for key, value in fields.items()).encode()


def _quick(host: Host, rows: list[dict[str, Any]], most: int) -> dict[str, str]:
    release = host.release
    fields = {
        "probe": "1",
        "time": f"{time.time():.9f}",
        "running": host.running,
        "profile": host.profile,
        "profile_link": f"system-{host.generation}-link",
        "boot_default": host.boot_default,
        "unit": "active" if host.active is not None else "inactive",
        "owned": json.dumps(list(release.projects)),
        "containers": json.dumps(rows),
    }
    if release.manifest is not None:
        fields["manifest"] = json.dumps(release.manifest)
    if host.active is not None:
        intent = host.active.intent
        holder = {key: intent.get(key) for key in ("run", "who", "origin", "kind")} | {"since": intent["started"]}
        fields["holder"] = json.dumps(holder)
    attempts, decisions = [], []
    for attempt in host.attempts[: -most - 1 : -1]:
        attempts.append(f"{attempt.folder}/intent.json:{json.dumps(attempt.intent)}")
        if attempt.outcome is not None:
            attempts.append(f"{attempt.folder}/outcome.json:{json.dumps(attempt.outcome)}")
        if attempt.decision is not None:
            decisions.append(f"lrwxrwxrwx 1 root root 9 Nov 23 10:00 {attempt.folder}/decision -> {attempt.decision}")
    return fields | {"attempts": "\n".join(attempts), "decisions": "\n".join(decisions)}


def _deep(host: Host) -> dict[str, str]:
    links = [(f"{PROFILES}/system-{g.number}-link", g.closure) for g in host.generations]
    named = [*links, ("/run/current-system", host.running), ("/run/booted-system", host.booted)]
    releases = {link: host.releases[closure] for link, closure in named}
    return {
        "booted": host.booted,
        "generations": "\n".join(f"system-{g.number}-link {g.created:.4f} {g.closure}" for g in host.generations),
        "versions": "\n".join(f"{link} {r.version} {r.kernel}" for link, r in releases.items()),
        "commits": "\n".join(
            f'{link}/cockpit/manifest.json:"commit": "{r.commit}"'
            for link, r in releases.items()
            if r.commit and "booted" not in link
        ),
        "revisions": "",
        "kernels": "\n".join(_kernel(host.releases[closure].kernel) for closure in (host.booted, host.running)),
        "failed": "",
        "disks": _disks(host.name),
        "load": f"{0.2 + len(host.containers.all) * 0.03 + (1.1 if host.active else 0.0) + time.time() % 7 / 50:.2f}",
        "uptime": f"{time.time() - host.booted_at:.2f}",
    }


def _kernel(version: str) -> str:
    return f"/nix/store/linux-{version}/bzImage /nix/store/initrd-{version}/initrd /nix/store/modules-{version}"


def _disks(name: str) -> str:
    head = "Filesystem 1-blocks Used Available Capacity Mounted on"
    size, used = (4_000_000_000_000, 2_610_000_000_000) if name == "nas" else (240_000_000_000, 97_400_000_000)
    root = f"/dev/disk/by-label/nixos {size} {used} {size - used} {used * 100 // size}% /"
    boot = "/dev/disk/by-label/boot 535805952 183500800 352305152 35% /boot"
    return "\n".join((head, root, root, boot))


def units(host: Host) -> str:
    """`systemctl list-units` of services and timers."""
    active = host.active is not None
    rows = [
        ("sshd.service", "active", "running", "SSH Daemon"),
        ("docker.service", "active", "running", "Docker Application Container Engine"),
        ("tailscaled.service", "active", "running", "Tailscale node agent"),
        ("systemd-journald.service", "active", "running", "Journal Service"),
        ("nix-daemon.service", "active", "running", "Nix Daemon"),
        ("dbus.service", "active", "running", "D-Bus System Message Bus"),
        ("cockpit-recovery.timer", "active", "waiting", "Finishes or reverts what was left open"),
        ("nix-gc.service", "inactive", "dead", "Nix Garbage Collector"),
        ("nix-gc.timer", "active", "waiting", "nix-gc.timer"),
        (SWITCH, "active" if active else "inactive", "running" if active else "dead", "NixOS switch (simulated)"),
    ]
    if host.name == "nas":
        rows.append(("zfs-scrub.timer", "active", "waiting", "zfs-scrub.timer"))
    return "".join(f"{name} loaded {state} {sub} {text}\n" for name, state, sub, text in rows)


def journal(host: Host, unit: str | None, lines: int) -> str:
    found = [(at, u, text) for at, u, text in host.journal if unit is None or u == unit or u == f"{unit}.service"]
    if unit is None:
        found = [entry for entry in found if "failed" in entry[2] or "denied" in entry[2]]
    out = []
    for at, name, text in found[-lines:]:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
        out.append(f"{stamp} {host.name} {name.partition('.')[0]}[{700 + len(name)}]: {text}")
    return "".join(f"{line}\n" for line in out)
