"""The mesh between here and the hosts, and the certificates that people meet."""

from __future__ import annotations

import datetime
import ipaddress
import re

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.project import ports, projects, words
from cockpit.domain.checkup import Certificate, MeshStatus
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.findings import Finding, Group, Level, fail, note, ok, skipped, warn
from cockpit.domain.settings import HostSettings
from cockpit.domain.units import several

TAILNET = ipaddress.ip_network("100.64.0.0/10")
DAY = 86400.0
SOON, NOW = 21, 7
"""Days: Traefik renews a certificate thirty days before its end."""
KEY_SOON = 14
MOST_NAMES = 8
"""Names of a server that are asked for one by one."""
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_NAME = re.compile(r"[`\"']([A-Za-z0-9*._${}-]+)[`\"']")


def days_left(context: Context, moment: float) -> int:
    return int((moment - context.clock.now()) // DAY)


def expiry(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 stamp; None for none, and for tailscale's zero."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp() if moment.year > 1 else None


# ---- mesh ----------------------------------------------------------------------------------------------------------------------


def _well(context: Context, mesh: MeshStatus, fix: str) -> list[Finding]:
    out: list[Finding] = []
    if mesh.state != "Running":
        out.append(fail(f"tailscale is not up: {mesh.state}", "", fix))
    moment = expiry(mesh.key_expiry)
    if moment is not None:
        days = days_left(context, moment)
        told = fail if days < 0 else warn
        if days <= KEY_SOON:
            ends = "has expired" if days < 0 else f"expires in {several(days, 'day')}"
            out.append(
                told(
                    f"its key {ends}",
                    "then it is cut off from the tailnet",
                    f"{fix}; for a host: disable key expiry in the admin console",
                )
            )
    out += [warn(line, "tailscale says so") for line in mesh.health[:5]]
    return out


async def _here(context: Context) -> Found:
    program = context.machine.find("tailscale")
    if not program:
        yield skipped("tailscale is not installed here", "hosts are reached some other way")
        return
    mesh = await _mesh_here(context)
    if mesh is None:
        yield warn("tailscale says nothing", "its daemon does not run", "sudo systemctl start tailscaled && sudo tailscale up")
        return
    found = _well(context, mesh, "sudo tailscale up")
    for finding in found:
        yield finding
    for host in context.looked_at:
        if await _address(context, host) & set(mesh.relayed):
            yield note(
                f"{host.name} is reached through a relay",
                "slower; a direct way needs UDP between both",
                f"tailscale ping {host.hostname}",
            )
    if not found:
        yield ok(f"{mesh.state.lower()}, {', '.join(mesh.addresses[:1])}")


async def _mesh_here(context: Context) -> MeshStatus | None:
    return await context.once("mesh", context.machine.mesh)


async def _address(context: Context, host: HostSettings) -> set[str]:
    try:
        return {str(ipaddress.ip_address(host.hostname))}
    except ValueError:
        try:
            return set(await context.once(("addresses", host.hostname), lambda: context.machine.addresses(host.hostname)))
        except CockpitError:
            return set()


async def _there(context: Context, host: HostSettings) -> Found:
    mesh = (await context.checkup(host.name)).mesh
    if mesh is None:
        told = note if not any(_is_tailnet(address) for address in await _address(context, host)) else warn
        yield told("tailscale is not on the host, or says nothing", "", f"ssh {host.hostname} tailscale status")
        return
    found = _well(context, mesh, f"ssh {host.hostname} sudo tailscale up")
    for finding in found:
        yield finding
    addresses = await _address(context, host)
    if mesh.addresses and any(map(_is_tailnet, addresses)) and not addresses & set(mesh.addresses):
        yield fail(
            f"address: is {host.hostname}, and the host's is {mesh.addresses[0]}",
            "another machine of the tailnet answers there",
            f"address: {mesh.addresses[0]}, in cockpit.yaml",
        )
    for project in await projects(context):
        ip = project.variables.get("TAILNET_IP", "")
        if project.name in host.projects and ip and mesh.addresses and ip not in mesh.addresses:
            yield fail(
                f"TAILNET_IP is {ip}, and the host's is {mesh.addresses[0]}",
                "what is published there cannot be reached",
                f"TAILNET_IP={mesh.addresses[0]}",
                f"{project.folder}/.env",
            )
    if not found:
        yield ok(f"{mesh.state.lower()}, {', '.join(mesh.addresses[:1])}")


def _is_tailnet(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in TAILNET
    except ValueError:
        return False


# ---- certificates --------------------------------------------------------------------------------------------------------------


async def routes(context: Context, host: HostSettings) -> tuple[str, int, tuple[str, ...]]:
    """(address, port, names) of the proxy that the host's projects publish, and of the routers that their labels make."""
    address, port, names = "", 0, dict[str, None]()
    for project in await projects(context):
        if project.name not in host.projects:
            continue
        for service in project.services:
            for published in ports(project, service):
                if published.target == "443" and published.published.isdigit() and not address:
                    address = host.hostname if published.everywhere else published.ip
                    port = int(published.published)
            for label, value, _ in words(service.node.get("labels")):
                if label.startswith("traefik.http.routers.") and label.endswith(".rule"):
                    for rule in _HOST.findall(project.filled(value)):
                        names |= dict.fromkeys(_NAME.findall(rule))
    return address, port, tuple(names)


async def _routers(context: Context, host: HostSettings) -> Found:
    address, port, routed = await routes(context, host)
    unknown, names = [name for name in routed if "$" in name], [name for name in routed if "$" not in name]
    if unknown:
        yield skipped(f"{several(len(unknown), 'name')} cannot be told", f"not set, or encrypted: {', '.join(unknown[:3])}")
    if not names:
        return
    if not address or "$" in address:
        yield skipped("no project publishes port 443 on a known address", "the certificates of its routers cannot be looked at")
        return
    seen: dict[str, list[str]] = {}
    certificates: dict[str, Certificate] = {}
    for name in names[:MOST_NAMES]:
        found = await _certificate(context, host, name, address, port)
        certificates[found.fingerprint] = found
        seen.setdefault(found.fingerprint, []).append(name)
    for fingerprint, certificate in certificates.items():
        shown = (
            seen[fingerprint][0]
            if len(seen[fingerprint]) == 1
            else f"{seen[fingerprint][0]} and {len(seen[fingerprint]) - 1} more"
        )
        renew = f"cockpit logs {host.name}/traefik: what does its ACME resolver say?"
        for finding in judged(context, certificate, shown, renew, trusted=True):
            yield finding
        uncovered = [name for name in seen[fingerprint] if not certificate.covers(name)]
        if uncovered and certificate.trusted:
            yield fail(
                f"the certificate is not for {', '.join(uncovered[:3])}", f"it is for {', '.join(certificate.names[:3])}", renew
            )


async def _certificate(context: Context, host: HostSettings, name: str, address: str, port: int) -> Certificate:
    """As the host itself sees it, which needs no way from here; from here where it has no curl for that."""
    try:
        return await context.checkups[host.name].certificate(name, address, port)
    except Unreachable:
        await context.checkup(host.name)  # a host that nobody reaches is not looked for past its mesh
        return await context.machine.certificate(address, port, name)


def judged(context: Context, certificate: Certificate, name: str, fix: str, *, trusted: bool) -> list[Finding]:
    """By its end, and where it has to be `trusted`, by who signed it."""
    days, out = days_left(context, certificate.not_after), list[Finding]()
    if days < 0:
        out.append(fail(f"{name}: the certificate has expired", f"{several(-days, 'day')} ago, from {certificate.issuer}", fix))
    elif days <= SOON:
        told = fail if days <= NOW else warn
        out.append(
            told(
                f"{name}: the certificate ends in {several(days, 'day')}",
                f"from {certificate.issuer}; it should have been renewed",
                fix,
            )
        )
    if trusted and not certificate.trusted and days >= 0:
        out.append(
            warn(
                f"{name}: browsers do not trust the certificate", f"{certificate.why}; from {certificate.issuer or 'nobody'}", fix
            )
        )
    return out or [ok(f"{name}: {several(days, 'day')} left, from {certificate.issuer}")]


async def _clusters(context: Context) -> Found:
    for cluster in context.homelab.clusters.values():
        for address in cluster.addresses:
            host, colon, port = address.rpartition(":")
            name, number = (host.strip("[]"), int(port)) if colon and port.isdigit() else (address, 8006)
            try:
                found = await context.machine.certificate(name, number, name)
            except Unreachable as error:
                yield fail(
                    f"{cluster.name}: {address} cannot be reached", error.why or error.what, f"curl -k https://{name}:{number}"
                )
                continue
            if cluster.fingerprint is not None and cluster.fingerprint != found.fingerprint:
                if len(cluster.addresses) == 1:
                    yield fail(
                        f"{cluster.name}: {address} is not the node that is pinned",
                        f"it shows {found.fingerprint[:23]}…",
                        "compare: pvenode cert info; then mend fingerprint: in cockpit.yaml",
                    )
                else:
                    yield note(
                        f"{cluster.name}: {address} has another certificate than the pinned one",
                        "it is asked by nobody then",
                        "one certificate for all nodes, or no fingerprint:",
                    )
                continue
            if cluster.fingerprint is None and not found.trusted:
                yield fail(
                    f"{cluster.name}: {address} is not trusted",
                    found.why,
                    f"fingerprint: {found.fingerprint}, in cockpit.yaml, once compared",
                )
                continue
            for finding in judged(
                context, found, f"{cluster.name}: {address}", "pvenode acme cert renew, or pvecm updatecerts", trusted=False
            ):
                yield finding


CHECKS = (
    Check(
        "mesh.here",
        "here",
        Group.MESH,
        Level.FAIL,
        "tailscale of this machine, where it has it: up, its key, relays to hosts.",
        _here,
        online=True,
    ),
    Check(
        "mesh.hosts",
        "hosts",
        Group.MESH,
        Level.FAIL,
        "tailscale of the host: up, its key's end, and that `address:` and TAILNET_IP are its own.",
        each=_there,
        online=True,
        deadline=45.0,
    ),
    Check(
        "certificates.routers",
        "routers",
        Group.CERTIFICATES,
        Level.FAIL,
        f"The certificate of each router's name: trusted, for that name, {SOON} days or more to go.",
        each=_routers,
        online=True,
        deadline=60.0,
    ),
    Check(
        "certificates.clusters",
        "Proxmox VE",
        Group.CERTIFICATES,
        Level.FAIL,
        "The certificate of each node: the pinned one or a trusted one, and its end.",
        _clusters,
        online=True,
        deadline=45.0,
    ),
)
