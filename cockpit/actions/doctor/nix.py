"""Nix: that the flake is locked whole, how old it is, and that each host is in it. Nothing is evaluated."""

from __future__ import annotations

import json
import re
from typing import Any

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.domain.findings import Group, Level, fail, note, ok, warn
from cockpit.domain.settings import HostSettings
from cockpit.domain.units import several

OLD, VERY_OLD = 30, 90
"""Days after which a pin is told, and warned of."""
MOST_GENERATIONS = 30
BESIDE = 5
"""Generations that a host keeps beside the newest ones: what runs, what was booted, what it went back from."""
_DAY = 86400.0
_COMMENT = re.compile(r"#[^\n]*|/\*.*?\*/", re.DOTALL)
_INPUT = re.compile(r"\binputs\.([A-Za-z_][\w'-]*)(?:\.url)?\s*[.=]")
_BLOCK = re.compile(r"\binputs\s*=\s*\{")
_KEY = re.compile(r"(?:^|[{;])\s*([A-Za-z_][\w'-]*)\s*(?:\.[\w.]+\s*)?=", re.MULTILINE)
_LIMIT = re.compile(r"\bconfigurationLimit\s*=\s*(?:lib\.mkDefault\s+)?(\d+)")
_EXAMPLE = re.compile(r"AAAA\.\.\.|ssh-ed25519 AAAA\b(?![A-Za-z0-9+/])|you@example")


def bare(text: str) -> str:
    """Without comments. A `#` in a string goes too: only names are looked for in what is left."""
    return _COMMENT.sub("", text)


def inputs_of(flake: str) -> tuple[str, ...]:
    """Names of the inputs in a flake.nix, in file order."""
    text = bare(flake)
    found = dict.fromkeys(match[1] for match in _INPUT.finditer(text))
    if block := _BLOCK.search(text):
        depth, at = 1, block.end()
        inner: list[str] = []
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            inner.append(text[at] if depth == 1 and text[at] not in "{}" else " ")
            at += 1
        found |= dict.fromkeys(match[1] for match in _KEY.finditer("".join(inner)))
    return tuple(name for name in found if name not in ("url", "follows"))


async def _lock_of(context: Context, folder: str) -> dict[str, Any] | None:
    text = await context.text_of(f"{folder}/flake.lock" if folder else "flake.lock")
    try:
        data = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("nodes"), dict) else None


def _folders(context: Context) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.flake_folder.strip("/") for host in context.looked_at))


async def _locked(context: Context) -> Found:
    for folder in _folders(context):
        where = f"{folder}/flake.nix" if folder else "flake.nix"
        flake = await context.text_of(where)
        if flake is None:
            yield fail(
                f"there is no {where}", "cockpit.yaml names it as a host's flake", "write it, or mend flake:", "cockpit.yaml"
            )
            continue
        wanted, lock = inputs_of(flake), await _lock_of(context, folder)
        fix = f"nix flake lock ./{folder}, and commit flake.lock"
        if lock is None:
            if wanted:
                yield fail("there is no flake.lock", f"{', '.join(wanted)}: whatever is newest when a host builds", fix, where)
            continue
        root = lock["nodes"].get(str(lock.get("root", "root")))
        known = root.get("inputs") if isinstance(root, dict) else None
        known = known if isinstance(known, dict) else {}
        for name in wanted:
            if name not in known:
                yield fail(
                    f"the input {name} is not locked", "the host's build would have to write flake.lock, and fails", fix, where
                )
        for name in known:
            if wanted and name not in wanted:
                yield note(f"{name} is locked and no input", "", fix, f"{folder}/flake.lock" if folder else "flake.lock")
        yield ok(f"{several(len(wanted), 'input')} locked")


async def _age(context: Context) -> Found:
    for folder in _folders(context):
        lock = await _lock_of(context, folder)
        node = (lock or {"nodes": {}})["nodes"].get("nixpkgs") or {}
        locked = node.get("locked") if isinstance(node, dict) else None
        modified = locked.get("lastModified") if isinstance(locked, dict) else None
        if not isinstance(modified, int | float):
            continue
        days = int((context.clock.now() - modified) / _DAY)
        file = f"{folder}/flake.lock" if folder else "flake.lock"
        told = warn if days >= VERY_OLD else note
        if days >= OLD:
            yield told(
                f"nixpkgs is {days} days old",
                "security fixes wait in newer ones",
                f"nix flake update nixpkgs --flake ./{folder}",
                file,
            )
        else:
            yield ok(f"nixpkgs is {max(0, days)} days old")


async def _hosts(context: Context, host: HostSettings) -> Found:
    folder = host.flake_folder.strip("/")
    prefix = f"{folder}/" if folder else ""
    flake = await context.text_of(f"{prefix}flake.nix")
    if flake is None:
        return  # nix.locked tells it
    own = await context.matching(f"{re.escape(prefix)}hosts/{re.escape(host.flake_attribute)}(/.*)?(\\.nix)?")
    text = bare(flake)
    if not own and not re.search(rf"\b{re.escape(host.flake_attribute)}\b", text):
        yield fail(
            f"{host.flake} is not in the flake",
            f"neither {prefix}hosts/{host.flake_attribute} nor its name in flake.nix is there",
            f"write {prefix}hosts/{host.flake_attribute}/default.nix, or mend flake: of {host.name}",
            f"{prefix}flake.nix",
        )
        return
    everything = text + "".join([bare(await context.text_of(path) or "") for path in own if path.endswith(".nix")])
    if not re.search(r"\bcockpit\b", everything):
        yield warn(
            f"{host.name} does not seem to import nixosModules.cockpit",
            "without it nothing can be deployed to it",
            "add self.nixosModules.cockpit to its modules",
            f"{prefix}flake.nix",
        )
    if "configurationRevision" not in everything:
        yield warn(
            "configurationRevision is not set",
            "a generation does not say which commit it is",
            "system.configurationRevision = self.rev or self.dirtyRev or null;",
            f"{prefix}flake.nix",
        )
    yield ok(host.flake)


async def _site(context: Context, host: HostSettings) -> Found:
    """The one Nix file that a person fills in."""
    folder = host.flake_folder.strip("/")
    found = await context.matching(f"{re.escape(folder)}/?hosts/{re.escape(host.flake_attribute)}/(site|access)\\.nix")
    for path in found:
        raw = await context.text_of(path) or ""
        text, told = bare(raw), fail if path.endswith("site.nix") else warn  # the reference's own module refuses to build then
        for name, who in (("admin", "nobody can get in to mend it"), ("deploy", "cockpit cannot get in")):
            keys = re.search(rf"\b{name}\s*=\s*\[(.*?)\]", text, re.DOTALL)
            line = next((n for n, one in enumerate(raw.splitlines(), 1) if re.match(rf"\s*{name}\s*=", one)), 0)
            if keys is not None and not re.search(r'"[^"]+"', keys[1]):
                yield told(f"{name} has no ssh key", who, f"put the line of ~/.ssh/id_ed25519.pub into {name}", path, line)
            elif keys is not None and _EXAMPLE.search(keys[1]):
                yield told(
                    f"{name} still has the example's key", who, f"put the line of ~/.ssh/id_ed25519.pub into {name}", path, line
                )
        name_there = re.search(r'\bhostName\s*=\s*"([^"]*)"', text)
        if name_there is not None and name_there[1] != host.name:
            yield warn(
                f"hostName is {name_there[1]}, and cockpit.yaml calls it {host.name}",
                "the module looks for its host by that name",
                f'hostName = "{host.name}";',
                path,
            )
    if found:
        yield ok(", ".join(found))


async def _limit(context: Context) -> Found:
    """Kernels fill /boot. What is rolled back to has to be in the menu: systemd-boot's default can be nothing else."""
    keep, limits = context.homelab.keep, []
    wanted = keep + BESIDE
    folders = tuple(f"{folder}/" if folder else "" for folder in _folders(context))
    for path in await context.matching(r".*\.nix"):
        if path.startswith(folders) and (match := _LIMIT.search(bare(await context.text_of(path) or ""))):
            limits.append((int(match[1]), path))
    if not limits:
        yield note(
            "no file sets a limit to the boot loader's entries",
            "every generation's kernel stays on /boot until it is full",
            f"boot.loader.systemd-boot.configurationLimit = {wanted};",
            f"{_folders(context)[0]}/flake.nix" if _folders(context) else "",
        )
        return
    for limit, path in limits:
        if limit > max(MOST_GENERATIONS, wanted):
            yield note(
                f"up to {limit} generations on /boot", "each kernel takes some 30 MiB", f"configurationLimit = {wanted};", path
            )
        elif limit <= keep:
            yield warn(
                f"the boot menu has {limit} generations, and cockpit keeps {keep}",
                "a rollback to one that is not in it fails: the boot loader cannot be told to start it",
                f"configurationLimit = {wanted}; or keep: {max(2, limit - BESIDE)} in cockpit.yaml",
                path,
            )
    yield ok(f"{limits[0][0]} generations")


CHECKS = (
    Check(
        "nix.locked",
        "flake.lock",
        Group.NIX,
        Level.FAIL,
        "The flake of every host is there, and each of its inputs is locked.",
        _locked,
    ),
    Check(
        "nix.age",
        "nixpkgs",
        Group.NIX,
        Level.WARN,
        f"The pin of nixpkgs: told from {OLD} days on, warned of from {VERY_OLD}.",
        _age,
    ),
    Check(
        "nix.hosts",
        "hosts",
        Group.NIX,
        Level.FAIL,
        "The flake has each host, which imports the cockpit module and says its commit. By its text; nothing is evaluated.",
        each=_hosts,
    ),
    Check(
        "nix.site",
        "site.nix",
        Group.NIX,
        Level.FAIL,
        "What a person fills in: ssh keys, and the host's name as in cockpit.yaml.",
        each=_site,
    ),
    Check(
        "nix.boot",
        "boot entries",
        Group.NIX,
        Level.WARN,
        "The boot loader lists a bounded number of generations, and each that cockpit keeps.",
        _limit,
    ),
)
