"""What a file says of its secrets without any key."""

from __future__ import annotations

import pytest

from cockpit.adapters.sops import is_encrypted, looks_plain, status_of

ENC = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"
RECIPIENT = "age1" + "q" * 58
YAML = f"""\
password: {ENC}
sops:
    age:
        - recipient: {RECIPIENT}
    lastmodified: "2026-11-23T10:00:00Z"
    mac: {ENC}
"""


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("a.yaml", YAML, "yaml"),
        ("a.yaml", YAML.replace("\n", "\r\n"), "yaml"),
        ("a.json", f'{{"a": "{ENC}", "sops": {{"mac": "{ENC}"}}}}', "json"),
        ("a.tar", f'{{"data": "{ENC}", "sops": {{"mac": "{ENC}"}}}}', "binary"),
        ("a.env", f"A={ENC}\nsops_mac={ENC}\nsops_version=3.11.0\n", "dotenv"),
        ("a.ini", f"[a]\nb = {ENC}\n[sops]\nmac = {ENC}\n", "ini"),
        ("a.yaml", "a: b\n", None),
        ("a.yaml", "sops: a chapter\n", None),
        ("a.yaml", f"a: {ENC}\n", None),
        ("a.json", '{"sops": {}}', None),
        ("a.json", '{"sops": ' + "[" * 100_000, None),
        ("a.env", "", None),
    ],
)
def test_formats(path: str, text: str, kind: str | None) -> None:
    assert status_of(path, text.encode()).format == kind
    assert is_encrypted(path, text.encode()) is (kind is not None)


def test_who_can_open_it_and_since_when() -> None:
    found = status_of("secrets/a.yaml", YAML.encode())
    assert (found.recipients, found.modified, found.exposed) == ((RECIPIENT,), "2026-11-23T10:00:00Z", ())


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("password: hunter2", "password"),
        ("  - DB_PASSWORD=hunter2", "DB_PASSWORD"),
        ("export API_KEY='abc def'", "API_KEY"),
        ('  "clientSecret": "abcdef",', "clientSecret"),
        ("smtp.pass = x7!", "smtp.pass"),
        ("auth_token: abc", "auth_token"),
        ("access-key: AAA", "access-key"),
        ("password: 123456", "password"),
        ("x: -----BEGIN OPENSSH " + "PRIVATE KEY-----", "a private key"),
        ("  -----BEGIN " + "PRIVATE KEY-----", "a private key"),
        ("AGE-SECRET-KEY-1" + "Q" * 58, "an age identity"),
        ("url: https://ghp_" + "a" * 36 + "@github.com/", "a provider's token"),
    ],
)
def test_what_looks_like_a_secret(line: str, key: str) -> None:
    assert looks_plain("compose/a/compose.yaml", f"# one\n{line}\n".encode()) == (f"line 2: {key}",)


@pytest.mark.parametrize(
    "line",
    [
        f"password: {ENC}",
        "password: ${DB_PASSWORD}",
        "password: $DB_PASSWORD",
        "DB_PASSWORD_FILE: /run/cockpit/secrets/core/db",
        "password_file=/run/x",
        "password: /run/secrets/db",
        "token: '{{ lookup }}'",
        "secret:",
        "secrets:",
        "secrets: {db: {file: /run/cockpit/secrets/p/db}}",
        "tokens: 5",
        "token: true",
        "password: |",
        "password: *anchor",
        "password: <your password>",
        "compass: north",
        "passthrough: on-demand",
        "keyboard: de",
        "token_ttl: 1h30",
        "password_unencrypted: x",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN AGE ENCRYPTED FILE-----",
        "ssh-ed25519 AAAA secret token",
        "",
    ],
)
def test_what_does_not(line: str) -> None:
    assert looks_plain("compose/a/compose.yaml", f"{line}\n".encode()) == ()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("security.sudo.wheelNeedsPassword = false;", ()),
        ("secretFiles = lib.concatMap f files;", ()),
        ("PasswordAuthentication = false;", ()),
        ('password = "hunter2";', ("line 1: password",)),
        ('passwordFile = "/run/x";', ()),
    ],
)
def test_programs_have_expressions(line: str, found: tuple[str, ...]) -> None:
    assert looks_plain("nix/hosts/a/default.nix", line.encode()) == found


def test_under_secrets_everything_is_encrypted_but_what_never_is_one() -> None:
    assert looks_plain("secrets/a.yaml", b"title: x\n") == ("the whole file: it is not encrypted by sops",)
    for path in ("secrets/README.md", "secrets/.sops.yaml", "secrets/host.pub", "docs/secrets/a.yaml"):
        assert looks_plain(path, b"title: x\n") == ()
    assert looks_plain("secrets/a.yaml", b"\n") == ()


def test_no_value_is_ever_named_and_nothing_is_slow() -> None:
    data = b"password: hunter2\n" + b"\xff\xfe\x00" * 1000 + b"\n" + b"a" * 200_000 + b"=" + b" " * 200_000 + b"\n"
    found = looks_plain("a.env", data + b"secret=" + b"=:" * 9_000 + b"\n" + (b"key = " + b" ," * 9_000 + b"x\n") * 3)
    assert found[0] == "line 1: password" and "hunter2" not in str(found)
