"""Hosts: that each can be reached, is the one that is pinned, lets cockpit do its work, and has room for it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from pathlib import Path

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.recipients import files, lacking
from cockpit.domain.checkup import numbers
from cockpit.domain.errors import CockpitError, HostKeyMismatch, Unreachable
from cockpit.domain.findings import Group, Level, fail, note, ok, skipped, warn
from cockpit.domain.settings import HostSettings
from cockpit.domain.units import several, size

PROGRAMS = ("cockpit-converge", "cockpit-secrets", "cockpit-transaction")
FULL, TIGHT = 0.95, 0.85
SKEW, MUCH_SKEW = 5.0, 60.0
"""Seconds between the clocks that are told, and that break tokens and certificates."""
LEAST_API = (1, 41)
LOGIN = 45.0


async def _pinned(context: Context, host: HostSettings) -> Found:
    if host.host_key:
        yield ok("in cockpit.yaml")
        return
    missing = await _unknown(context, host)
    port = f"-p {host.port} " if host.port != 22 else ""
    scan = f"ssh-keyscan {port}-t ed25519 {host.hostname}, compare it with the console, and write it to host_key: in cockpit.yaml"
    if missing:
        yield fail("its key is not known", f"host_key is not set, and {missing}", scan)
    else:
        why = f"{_known_hosts(context)} knows it; another machine, and CI, do not"
        yield note("its key is pinned on this machine only", why, scan)


def _known_hosts(context: Context) -> Path:
    return context.known_hosts or Path(context.machine.environment("HOME") or "/") / ".ssh/known_hosts"


async def _unknown(context: Context, host: HostSettings) -> str:
    """Why nothing vouches for the host's key; empty where something does."""
    if host.host_key:
        return ""
    file = _known_hosts(context)
    if await asyncio.to_thread(context.machine.status, file) is None:
        return f"there is no {file}"
    name = host.hostname if host.port == 22 else f"[{host.hostname}]:{host.port}"
    keygen = context.machine.find("ssh-keygen")
    if keygen and (await context.machine.ask((keygen, "-F", name, "-f", str(file)))).code != 0:
        return f"{file} does not have {name}"
    return ""


async def _addresses(context: Context, host: HostSettings) -> tuple[str, ...]:
    """Unreachable where its name has none."""
    try:
        return (str(ipaddress.ip_address(host.hostname)),)
    except ValueError:
        return await context.once(("addresses", host.hostname), lambda: context.machine.addresses(host.hostname))


async def _greeting(context: Context, host: HostSettings) -> str:
    """Unreachable where nothing answers."""
    where = ("greeting", host.hostname, host.port)
    return await context.once(where, lambda: context.machine.greeting(host.hostname, host.port))


async def _resolves(context: Context, host: HostSettings) -> Found:
    try:
        yield ok(", ".join((await _addresses(context, host))[:2]))
    except Unreachable as error:
        if await _in(context, host):
            yield ok("by ~/.ssh/config")
            return
        fix = "is the mesh up, with its DNS? tailscale status; or write an IP to address:"
        yield fail(f"{host.hostname} has no address here", error.why, fix)


async def _answers(context: Context, host: HostSettings) -> Found:
    try:
        await _addresses(context, host)
    except Unreachable:
        yield ok("by ~/.ssh/config") if await _in(context, host) else skipped("its name has no address here")
        return
    try:
        greeting = await _greeting(context, host)
    except Unreachable as error:
        if await _in(context, host):
            yield ok("by ~/.ssh/config")
            return
        fix = f"is the host up, and the mesh? tailscale ping {host.hostname}"
        yield fail(f"port {host.port} does not answer", error.why or error.what, fix)
        return
    if greeting and not greeting.startswith("SSH-"):
        yield fail(f"port {host.port} is no ssh server", f"it says {greeting[:40]!r}", "mend address: in cockpit.yaml")
    yield ok(greeting or f"port {host.port}")


async def _in(context: Context, host: HostSettings) -> bool:
    """Whether a login works all the same: ssh's own configuration may know a way."""
    try:
        await context.checkup(host.name)
    except CockpitError:
        return False
    return True


async def _login(context: Context, host: HostSettings) -> Found:
    try:
        found = await context.checkup(host.name)
    except HostKeyMismatch as error:
        yield fail(error.what, error.why, error.hint)
    except Unreachable as error:
        told = skipped if await _told_before(context, host) else fail  # one root cause is one thing to mend
        yield told(error.what, error.why, error.hint)
    else:
        yield ok(f"as {found.user}")


async def _told_before(context: Context, host: HostSettings) -> bool:
    """Whether the checks of its key, name or port say already why nobody gets in."""
    try:
        await _addresses(context, host)
        await _greeting(context, host)
    except Unreachable:
        return True
    return bool(await _unknown(context, host))


async def _rights(context: Context, host: HostSettings) -> Found:
    found = await context.checkup(host.name)
    missing = [name for name in PROGRAMS if name not in found.programs]
    if missing:
        yield fail(
            f"{', '.join(missing)} not there", "the host does not import nixosModules.cockpit", f"cockpit bootstrap {host.name}"
        )
    elif not found.sudo:
        yield fail(
            f"{found.user} may not run cockpit-transaction as root",
            found.sudo_why or "sudo refuses",
            f"cockpit bootstrap {host.name}",
        )
    if "docker" not in found.groups and found.user != "root":
        yield warn(
            f"{found.user} is not in the group docker",
            "Services stays empty",
            f'users.users.{found.user}.extraGroups = [ "docker" ];',
        )
    yield ok("cockpit's programs are there, and may be run")


async def _secrets(context: Context, host: HostSettings) -> Found:
    if host.identity != "/etc/ssh/ssh_host_ed25519_key":
        yield skipped(f"it decrypts with {host.identity}", "whose public half cannot be seen")
        return
    found, encrypted = await context.checkup(host.name), await files(context)
    key = next((key for key in found.keys if key.startswith("ssh-ed25519 ")), "")
    if not key:
        yield fail("the host has no ed25519 key", "it cannot decrypt its secrets", "ssh-keygen -A on the host")
        return
    wanted = {secret.file for name in host.projects for secret in context.homelab.projects[name].secrets}
    if host.host_key and host.host_key.startswith("ssh-ed25519 ") and host.host_key != key:
        yield fail(
            "host_key: is not the key in its /etc/ssh", "another server may answer on that port", "compare them on its console"
        )
    elif not host.host_key:
        for finding in lacking(key, wanted, encrypted):
            yield finding
    yield ok(several(len(wanted), "file"))


async def _space(context: Context, host: HostSettings) -> Found:
    facts, found = await context.facts(host.name), await context.checkup(host.name)
    clean = {"/boot": "lower configurationLimit, then nixos-rebuild boot"}
    for disk in facts.disks:
        told = fail if disk.share >= FULL else warn
        if disk.share >= TIGHT:
            free = size(max(0, disk.size - disk.used))
            why = "the next release cannot be written to it" if disk.share >= FULL else "a release and its images need room"
            fix = clean.get(disk.mount, f"ssh {host.hostname} sudo nix-collect-garbage --delete-older-than 30d")
            yield told(f"{disk.mount} is {disk.share:.0%} full, {free} are free", why, fix)
    for mount, share in found.inodes:
        if share >= TIGHT:
            told = fail if share >= FULL else warn
            yield told(
                f"{mount} has used {share:.0%} of its inodes",
                "no file can be made without one",
                f"ssh {host.hostname} sudo nix-collect-garbage",
            )
    yield ok(", ".join(f"{disk.mount} {disk.share:.0%}" for disk in facts.disks))


async def _clock(context: Context, host: HostSettings) -> Found:
    facts = await context.facts(host.name)
    skew = facts.host_time - facts.read_at
    told = fail if abs(skew) >= MUCH_SKEW else warn
    if abs(skew) >= SKEW:
        why = "tokens, certificates and one-time passwords go by the clock"
        yield told(
            f"its clock is {abs(skew):.0f}s {'ahead' if skew > 0 else 'behind'}", why, "timedatectl status, here and there"
        )
    else:
        yield ok("in step")


async def _release(context: Context, host: HostSettings) -> Found:
    facts = await context.facts(host.name)
    still = next((attempt for attempt in facts.attempts if attempt.ended is None and attempt.result.value == "open"), None)
    if facts.holder is not None:
        yield note(
            f"{facts.holder.kind} {facts.holder.run} by {facts.holder.who} is at work", "", f"cockpit attach {facts.holder.run}"
        )
    elif still is not None:
        yield fail(
            f"the attempt {still.run} is still open",
            still.reason or "neither release could be made whole",
            "docs/operations.md#rescue; cockpit attach " + still.run,
        )
    if facts.hold is not None:
        yield note(
            f"held by {facts.hold.by}",
            "a rollback left it: what it went back from is not deployed again",
            f"cockpit resume {host.name}",
        )
    if facts.profile is not None and facts.profile != facts.running.path:
        yield warn(
            "it runs a system that is not its profile's", "a reboot brings another one", f"cockpit deploy {host.name} --from-test"
        )
    for unit in facts.failed_units:
        yield warn(f"{unit} failed", "", f"ssh {host.hostname} journalctl -u {unit} -n 50")
    for service in facts.stopped:
        yield warn(
            f"{service} is not as it should be", "it does not run, or is not healthy", f"cockpit logs {host.name}/{service}"
        )
    if facts.reboot is not None:
        yield note(f"a reboot is needed: {facts.reboot[0]} to {facts.reboot[1]}", "", f"ssh {host.hostname} sudo reboot")
    keep = context.homelab.keep
    numbered = [generation for generation in facts.generations if generation.number is not None]
    if len(numbered) > keep * 2:
        yield note(
            f"{len(numbered)} generations",
            f"keep is {keep}: somebody else makes them too",
            f"ssh {host.hostname} sudo nix-collect-garbage -d",
        )
    version = facts.running.nixos or "NixOS of an unknown version"
    yield ok(f"{version}, generation {facts.profile_generation or '–'}")


# ---- engine --------------------------------------------------------------------------------------------------------------------


async def _engine(context: Context, host: HostSettings) -> Found:
    engine = (await context.checkup(host.name)).engine
    if not engine.api:
        yield fail("the engine does not answer", engine.why, f"ssh {host.hostname} systemctl status docker")
        return
    if numbers(engine.api) < LEAST_API:
        yield fail(f"the engine speaks API {engine.api}", "cockpit needs 1.41 (docker 20.10) or newer", "update docker")
    await context.engines[host.name].services()  # by the way that cockpit itself goes: a socket through its connection
    yield ok(f"docker {engine.version}, API {engine.api}")


async def _live(context: Context, host: HostSettings) -> Found:
    engine = (await context.checkup(host.name)).engine
    if engine.live_restore is False:
        yield warn(
            "live-restore is off",
            "an update of docker stops every container",
            "virtualisation.docker.daemon.settings.live-restore = true;",
        )
    elif engine.live_restore is None:
        yield skipped("the engine does not say", engine.why)
    else:
        yield ok("on")


def _host(
    name: str,
    title: str,
    worst: Level,
    each: Callable[[Context, HostSettings], Found],
    about: str,
    group: Group = Group.HOSTS,
    online: bool = True,
) -> Check:
    return Check(name, title, group, worst, about, each=each, online=online, deadline=LOGIN)


CHECKS = (
    _host("hosts.pinned", "key", Level.FAIL, _pinned, "Its key is pinned in cockpit.yaml, or known to ssh here.", online=False),
    _host("hosts.resolves", "name", Level.FAIL, _resolves, "Its address is an IP, or a name that resolves."),
    _host("hosts.answers", "port", Level.FAIL, _answers, "An ssh server answers there."),
    _host("hosts.login", "login", Level.FAIL, _login, "It is the host that is pinned, and it lets cockpit in."),
    _host(
        "hosts.rights",
        "rights",
        Level.FAIL,
        _rights,
        "cockpit's programs are there, sudo allows them, the user is in the group docker.",
    ),
    _host("hosts.secrets", "its secrets", Level.FAIL, _secrets, "The host's own key is among the recipients of what it renders."),
    _host(
        "hosts.space", "space", Level.FAIL, _space, "Space and inodes of /, /nix and /boot: warned of from 85 %, wrong from 95 %."
    ),
    _host("hosts.clock", "clock", Level.FAIL, _clock, "Its clock and this machine's: told from 5 s on, wrong from a minute."),
    _host("hosts.release", "release", Level.FAIL, _release, "No open attempt, no hold, no failed unit, no reboot that is due."),
    _host(
        "engine.answers",
        "engine",
        Level.FAIL,
        _engine,
        "Docker answers, with API 1.41 or newer, through cockpit's connection.",
        Group.ENGINE,
    ),
    _host("engine.live-restore", "live-restore", Level.WARN, _live, "Containers outlive an update of the engine.", Group.ENGINE),
)
