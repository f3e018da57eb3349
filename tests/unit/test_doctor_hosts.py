"""Doctor on hosts, engine, mesh and certificates: what it says when one thing is spoilt."""

from __future__ import annotations

import pytest

from cockpit.domain.checkup import (
    EngineCheckup,
    FileState,
    MeshStatus,
)
from cockpit.domain.errors import HostKeyMismatch, Unreachable
from cockpit.domain.hosts import Disk, Hold, Holder
from tests.unit.clinic import ADA, NAME, Clinic, sealed
from tests.unit.fake_clock import START
from tests.unit.spoilt import (
    FAIL,
    NOTE,
    SKIPPED,
    WARN,
    WEB,
    Spoilt,
    both,
    certificate,
    edit,
    facts,
    put,
    without,
)


def _by_name(clinic: Clinic, name: str = "beta.lan") -> None:
    clinic.of_host(address=name)
    clinic.host.said = Unreachable("cockpit@beta.lan cannot be reached", "no route")


def _closed(clinic: Clinic) -> None:
    clinic.machine.greetings.clear()
    clinic.host.said = Unreachable("cockpit@100.64.0.7 cannot be reached", "Connection refused")


def _unpinned(clinic: Clinic) -> None:
    clinic.of_host(host_key=None)
    clinic.host.said = Unreachable("the host key of cockpit@100.64.0.7 is not known")


EXPIRED_KEY = MeshStatus("Running", "alpha", ("100.64.0.7",), "2025-11-20T00:00:00Z")

SPOILT = (
    # hosts
    Spoilt("hosts.pinned", lambda c: c.of_host(host_key=None), FAIL, "its key is not known", "ssh-keyscan -t ed25519 100.64.0.7"),
    Spoilt(
        "hosts.pinned",
        both(
            lambda c: c.of_host(host_key=None), lambda c: c.machine.files.update({"/home/ada/.ssh/known_hosts": FileState(0o600)})
        ),
        NOTE,
        "pinned on this machine only",
    ),
    Spoilt("hosts.resolves", _by_name, FAIL, "beta.lan has no address here"),
    Spoilt("hosts.answers", _by_name, SKIPPED, "its name has no address here"),
    Spoilt("hosts.answers", _closed, FAIL, "port 22 does not answer"),
    Spoilt("hosts.login", _by_name, SKIPPED, "cannot be reached"),
    Spoilt("hosts.login", _closed, SKIPPED, "cannot be reached"),
    Spoilt("hosts.login", _unpinned, SKIPPED, "is not known"),
    Spoilt("hosts.answers", lambda c: c.machine.greetings.update({"100.64.0.7": "220 smtp"}), FAIL, "port 22 is no ssh server"),
    Spoilt(
        "hosts.login",
        lambda c: setattr(c.host, "said", HostKeyMismatch("it is not the host that is pinned", "pinned A, offered B", "compare")),
        FAIL,
        "not the host that is pinned",
        "compare",
    ),
    Spoilt(
        "hosts.login",
        lambda c: setattr(c.host, "said", Unreachable("it does not let us in", "tried nothing", "ssh -v")),
        FAIL,
        "does not let us in",
        "ssh -v",
    ),
    Spoilt(
        "hosts.rights",
        lambda c: c.host.says(sudo=False, sudo_why="a password is required"),
        FAIL,
        "may not run cockpit-transaction",
        "cockpit bootstrap alpha",
    ),
    Spoilt(
        "hosts.rights",
        lambda c: c.host.says(programs=()),
        FAIL,
        "cockpit-converge, cockpit-secrets, cockpit-transaction not there",
    ),
    Spoilt("hosts.rights", lambda c: c.host.says(groups=("cockpit",)), WARN, "not in the group docker"),
    Spoilt("hosts.rights", lambda c: setattr(c.host, "said", Unreachable("it does not answer")), SKIPPED, "it does not answer"),
    Spoilt(
        "hosts.secrets",
        both(lambda c: c.of_host(host_key=None), lambda c: c.write(WEB, sealed("web:\n  token: x", ADA))),
        FAIL,
        "not among its recipients",
    ),
    Spoilt("hosts.secrets", lambda c: c.host.says(keys=("ssh-ed25519 other",)), FAIL, "host_key: is not the key"),
    Spoilt("hosts.space", facts(disks=(Disk("/boot", 97, 100),)), FAIL, "/boot is 97% full", "configurationLimit"),
    Spoilt("hosts.space", lambda c: c.host.says(inodes=(("/nix", 0.9),)), WARN, "/nix has used 90% of its inodes"),
    Spoilt("hosts.clock", facts(host_time=START + 90), FAIL, "its clock is 90s ahead"),
    Spoilt("hosts.clock", facts(host_time=START - 20), WARN, "its clock is 20s behind"),
    Spoilt("hosts.release", facts(failed_units=("nginx.service",)), WARN, "nginx.service failed", "journalctl -u nginx.service"),
    Spoilt("hosts.release", facts(hold=Hold("r", (), "ada", START)), NOTE, "held by ada", "cockpit resume alpha"),
    Spoilt(
        "hosts.release", facts(holder=Holder("r9", "ben", "ci", START)), NOTE, "deploy r9 by ben is at work", "cockpit attach r9"
    ),
    Spoilt("hosts.release", facts(profile="/nix/store/else"), WARN, "not its profile's"),
    Spoilt("hosts.release", facts(stopped=("web/traefik",)), WARN, "web/traefik is not as it should be"),
    Spoilt("hosts.release", facts(reboot=("6.1", "6.2")), NOTE, "a reboot is needed"),
    # engine, mesh, certificates
    Spoilt(
        "engine.answers",
        lambda c: c.host.says(engine=EngineCheckup(why="connection refused")),
        FAIL,
        "the engine does not answer",
    ),
    Spoilt("engine.answers", lambda c: c.host.says(engine=EngineCheckup("19.03", "1.40")), FAIL, "the engine speaks API 1.40"),
    Spoilt(
        "engine.answers",
        put("engine_error", Unreachable("the engine cannot be reached", "forwarding is off")),
        SKIPPED,
        "cannot be reached",
    ),
    Spoilt("engine.live-restore", lambda c: c.host.says(engine=EngineCheckup("29", "1.52", False)), WARN, "live-restore is off"),
    Spoilt(
        "mesh.here",
        lambda c: setattr(c.machine, "own_mesh", MeshStatus("NeedsLogin")),
        FAIL,
        "tailscale is not up: NeedsLogin",
        "sudo tailscale up",
    ),
    Spoilt(
        "mesh.here",
        lambda c: setattr(c.machine, "own_mesh", MeshStatus("Running", relayed=("100.64.0.7",))),
        NOTE,
        "alpha is reached through a relay",
    ),
    Spoilt("mesh.here", without("tailscale"), SKIPPED, "tailscale is not installed here"),
    Spoilt("mesh.hosts", lambda c: c.host.says(mesh=EXPIRED_KEY), FAIL, "its key has expired"),
    Spoilt(
        "mesh.hosts",
        lambda c: c.host.says(mesh=MeshStatus("Running", "alpha", ("100.64.0.9",))),
        FAIL,
        "address: is 100.64.0.7, and the host's is 100.64.0.9",
        "address: 100.64.0.9",
    ),
    Spoilt(
        "mesh.hosts",
        edit("compose/web/.env", "100.64.0.7", "100.64.0.8"),
        FAIL,
        "TAILNET_IP is 100.64.0.8",
        "TAILNET_IP=100.64.0.7",
        "compose/web/.env",
    ),
    Spoilt("mesh.hosts", lambda c: c.host.says(mesh=None), WARN, "tailscale is not on the host"),
    Spoilt(
        "certificates.routers",
        lambda c: c.host.certificates.update({NAME: certificate(-2)}),
        FAIL,
        f"{NAME}: the certificate has expired",
    ),
    Spoilt("certificates.routers", lambda c: c.host.certificates.update({NAME: certificate(14)}), WARN, "ends in 14 days"),
    Spoilt(
        "certificates.routers",
        lambda c: c.host.certificates.update({NAME: certificate(60, "TRAEFIK DEFAULT CERT", why="self-signed")}),
        WARN,
        "browsers do not trust",
    ),
    Spoilt(
        "certificates.routers",
        lambda c: c.host.certificates.update({NAME: certificate(60, "other.example.org")}),
        FAIL,
        f"the certificate is not for {NAME}",
    ),
    Spoilt("certificates.clusters", lambda c: c.machine.certificates.clear(), FAIL, "home: pve:8006 cannot be reached"),
    Spoilt("certificates.clusters", lambda c: c.of_cluster(fingerprint="CD"), FAIL, "not the node that is pinned"),
    Spoilt(
        "certificates.clusters", lambda c: c.of_cluster(fingerprint=None), FAIL, "pve:8006 is not trusted", "fingerprint: AB:AB"
    ),
)


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda s: f"{s.check}: {s.what}")
async def test_what_is_spoilt_is_found(spoilt: Spoilt) -> None:
    await spoilt.is_found()


async def test_a_name_that_only_sshs_configuration_knows_is_fine_where_a_login_works() -> None:
    clinic = Clinic()
    clinic.of_host(address="by-jump")
    assert await clinic.look("hosts.resolves") == await clinic.look("hosts.answers") == ()
