"""cockpit.yaml: what it may say, and what is said about what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config import find, load
from cockpit.config.fields import seconds
from cockpit.domain.errors import Exit, SettingsError, UsageError
from cockpit.domain.settings import EnvSecrets, HttpCheck, SecretSettings, SecretStyle, Timing, UnitCheck

HOST = "version: 1\nhosts:\n  alpha:\n    address: a\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
FULL = """\
version: 1
keep: 7
hosts:
  homelab:
    address: 100.64.0.7:2222
    user: deploy
    host_key: %KEY%
    transport: ssh
    flake: nix#other
    build: host
    tags: [prod, eu]
    protected: true
    projects: [paperless, core]
    identity: /etc/key
    timing: {wait: 2m, stable: 1500ms, revert_after: 1h}
    health: [{http: "http://127.0.0.1:8000/", status: 204}, {http: https://x/}, {unit: sshd.service}]
projects:
  core:
    source: ./compose/core/
  paperless:
    source: compose/paperless
    directory: /srv/paperless
    env_secrets: allow
    secrets:
      db-password: {file: secrets/p.yaml, key: paperless.db, owner: "1000:1000", mode: "440"}
      whole: {file: secrets/w.env}
""".replace("%KEY%", KEY)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "cockpit.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def complaints(folder: Path, text: str) -> list[tuple[int, str, str, str, str]]:
    with pytest.raises(SettingsError) as caught:
        load(write(folder, text))
    assert caught.value.exit is Exit.USAGE
    assert all(c.file == "cockpit.yaml" for c in caught.value.complaints)
    return [(c.line, c.key, c.what, c.expected, c.nearest) for c in caught.value.complaints]


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    settings = load(write(tmp_path, FULL))
    host = settings.hosts["homelab"]
    assert (settings.root, settings.keep) == (tmp_path, 7)
    assert (host.hostname, host.port, host.user, host.host_key) == ("100.64.0.7", 2222, "deploy", KEY)
    assert (host.flake_folder, host.flake_attribute, host.tags, host.protected) == ("nix", "other", ("prod", "eu"), True)
    assert (host.projects, host.identity) == (("paperless", "core"), "/etc/key")
    assert host.timing == Timing(120.0, 1.5, 3600.0)
    assert host.health == (HttpCheck("http://127.0.0.1:8000/", 204), HttpCheck("https://x/", 200), UnitCheck("sshd.service"))
    core, paperless = settings.projects["core"], settings.projects["paperless"]
    assert (core.source, core.directory) == ("compose/core", "/var/lib/cockpit/projects/core")
    assert (paperless.directory, paperless.env_secrets) == ("/srv/paperless", EnvSecrets.ALLOW)
    assert paperless.secrets == (
        SecretSettings("db-password", "secrets/p.yaml", "paperless.db", "1000:1000", "0440"),
        SecretSettings("whole", "secrets/w.env"),
    )


def test_defaults(tmp_path: Path) -> None:
    settings = load(write(tmp_path, HOST + "    timing:\n    health:\n    tags:\nprojects:\n  core: {source: c}\n"))
    host = settings.hosts["alpha"]
    assert (settings.keep, host.user, host.port, host.flake_attribute, host.host_key) == (15, "cockpit", 22, "alpha", None)
    assert (host.timing, host.health, host.tags, host.projects, host.protected) == (Timing(), (), (), (), False)
    assert settings.projects["core"].env_secrets is EnvSecrets.REFUSE and settings.projects["core"].secrets == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hosts: {a: {address: x}}\n", (1, "version", "is missing", "version of this file's format", "")),
        ("version: 2\nhosts: {a: {address: x}}\n", (1, "version", "is 2", "1", "")),
        ("version: one\nhosts: {a: {address: x}}\n", (1, "version", "is 'one'", "a whole number", "")),
        ("version: 1\n", (1, "hosts", "is missing", "NixOS hosts by name", "")),
        ("version: 1\nhosts:\n", (2, "hosts", "names no host", "at least one", "")),
        ("version: 1\nhosts: [a]\n", (2, "hosts", "is a list", "a mapping of names", "")),
        ("version: 1\nhosts: {A: {address: x}}\n", (2, "hosts.A", "is no name", "lower-case letters, digits, - _ .", "")),
        ('version: 1\nhosts: {"a\\n": {address: x}}\n', (2, "hosts.a\n", "is no name", "lower-case letters, digits, - _ .", "")),
        (
            f"version: 1\nhosts: {{{'a' * 64}: {{address: x}}}}\n",
            (2, f"hosts.{'a' * 64}", "is no name", "lower-case letters, digits, - _ .", ""),
        ),
        ("version: 1\nhosts:\n  a: 7\n", (3, "hosts.a", "is an integer", "a mapping: a NixOS host", "")),
        ("version: 1\nhosts:\n  a:\n", (3, "hosts.a", "is empty", "a mapping: a NixOS host", "")),
        (
            "version: 1\nhosts:\n  a:\n    user: x\n",
            (4, "hosts.a.address", "is missing", "host name or IP that the proof of reachability goes to, optionally :port", ""),
        ),
        ("version: 1\nhosts:\n  a:\n    address:\n", (4, "hosts.a.address", "is empty", "e.g. 100.64.0.7", "")),
        ('version: 1\nhosts:\n  a:\n    address: ""\n', (4, "hosts.a.address", "is empty", "e.g. 100.64.0.7", "")),
        (
            'version: 1\nhosts:\n  a:\n    address: "a\\u001bb"\n',
            (4, "hosts.a.address", "holds control characters", "e.g. 100.64.0.7", ""),
        ),
        ("version: 1\nhosts:\n  a:\n    address: [x]\n", (4, "hosts.a.address", "is a list", "e.g. 100.64.0.7", "")),
        (HOST + "    adress: b\n", (5, "hosts.alpha.adress", "is not known here", "", "address")),
        (HOST + "    user: Root\n", (5, "hosts.alpha.user", "is 'Root'", "deploy user", "")),
        (HOST + "    host_key: AAAA\n", (5, "hosts.alpha.host_key", "is 'AAAA'", "e.g. ssh-ed25519 AAAA...", "")),
        (HOST + "    transport: shh\n", (5, "hosts.alpha.transport", "is 'shh'", "ssh", "ssh")),
        (HOST + "    build: moon\n", (5, "hosts.alpha.build", "is 'moon'", "host", "")),
        (
            HOST + "    flake: nix#a b\n",
            (
                5,
                "hosts.alpha.flake",
                "is 'nix#a b'",
                "FOLDER#ATTRIBUTE of the flake; the attribute is the host's name by default",
                "",
            ),
        ),
        (HOST + "    protected: maybe\n", (5, "hosts.alpha.protected", "is 'maybe'", "true or false", "")),
        (HOST + "    tags: prod\n", (5, "hosts.alpha.tags", "is a string", "a list", "")),
        (HOST + "    tags:\n      - a\n      - {b: c}\n", (7, "hosts.alpha.tags[1]", "is a mapping", "", "")),
        (
            HOST + "    identity: key\n",
            (5, "hosts.alpha.identity", "is 'key'", "file on the host that decrypts its secrets (ssh or age key)", ""),
        ),
        (
            HOST + "    timing: {wait: soon}\n",
            (5, "hosts.alpha.timing.wait", "is 'soon'", "a duration such as 120s, 2m or 1.5s", ""),
        ),
        (HOST + "    timing: {wiat: 1s}\n", (5, "hosts.alpha.timing.wiat", "is not known here", "", "wait")),
        (HOST + "    timing: 5\n", (5, "hosts.alpha.timing", "is an integer", "a mapping: deadlines of a transaction", "")),
        (
            HOST + "    timing:\n      stable: 400s\n",
            (6, "hosts.alpha.timing", "stable is not shorter than revert_after", "a deadline that can be met", ""),
        ),
        (
            HOST + "    health:\n      - {http: http://a, unit: b}\n",
            (6, "hosts.alpha.health", "needs exactly one of http and unit", "", ""),
        ),
        (HOST + "    health:\n      - {status: 200}\n", (6, "hosts.alpha.health", "needs exactly one of http and unit", "", "")),
        (
            HOST + "    health: [{http: ftp://a}]\n",
            (5, "hosts.alpha.health[0].http", "is 'ftp://a'", "URL, asked from the host", ""),
        ),
        (HOST + "    health: [{unit: a, status: ok}]\n", (5, "hosts.alpha.health[0].status", "is 'ok'", "a whole number", "")),
        (
            HOST + "    projects: [cor]\nprojects: {core: {source: c}}\n",
            (5, "hosts.alpha.projects", "names 'cor', which is not under projects:", "", "core"),
        ),
        (
            HOST + "    projects:\n      - core\n      - core\nprojects: {core: {source: c}}\n",
            (7, "hosts.alpha.projects", "names 'core' twice", "", ""),
        ),
        (HOST + "keep: 1\n", (5, "keep", "is 1", "at least 2: a rollback needs one to go to", "")),
        (HOST + "keep: 1.5\n", (5, "keep", "is '1.5'", "a whole number", "")),
        (HOST + "keep: true\n", (5, "keep", "is 'true'", "a whole number", "")),
        (HOST + "keep: 99999999999\n", (5, "keep", "is '99999999999'", "a whole number", "")),
        (HOST + "hostss: {}\n", (5, "hostss", "is not known here", "", "hosts")),
        (HOST + "zzz: {}\n", (5, "zzz", "is not known here", "one of version, keep, hosts, projects, clusters, secrets", "")),
        (
            HOST + "projects: {core: {}}\n",
            (5, "projects.core.source", "is missing", "folder of the repository with its compose.yaml", ""),
        ),
        (
            HOST + "projects: {core: {source: /abs}}\n",
            (5, "projects.core.source", "is '/abs'", "a path below the repository's top", ""),
        ),
        (
            HOST + "projects: {core: {source: a/../../b}}\n",
            (5, "projects.core.source", "is 'a/../../b'", "a path below the repository's top", ""),
        ),
        (
            HOST + "projects: {core: {source: ./}}\n",
            (5, "projects.core.source", "is './'", "a path below the repository's top", ""),
        ),
        (
            HOST + "projects: {core: {source: c, directory: rel}}\n",
            (
                5,
                "projects.core.directory",
                "is 'rel'",
                "stable directory on the host; /var/lib/cockpit/projects/NAME by default",
                "",
            ),
        ),
        (
            HOST + "projects: {core: {source: c, env_secrets: allowed}}\n",
            (5, "projects.core.env_secrets", "is 'allowed'", "refuse or allow", "allow"),
        ),
        (
            HOST + "projects: {core: {source: c, secrets: {s: {}}}}\n",
            (5, "projects.core.secrets.s.file", "is missing", "encrypted file under secrets/", ""),
        ),
        (
            HOST + "projects: {core: {source: c, secrets: {s: {file: f, owner: root}}}}\n",
            (5, "projects.core.secrets.s.owner", "is 'root'", "e.g. 1000:1000", ""),
        ),
        (
            HOST + "projects: {core: {source: c, secrets: {s: {file: f, mode: '0999'}}}}\n",
            (5, "projects.core.secrets.s.mode", "is '0999'", "octal mode", ""),
        ),
        (HOST + "keep: 3\nkeep: 4\n", (6, "keep", "stands here twice", "each key once", "")),
        ("- a\n", (1, "(file)", "is a list", "a mapping: cockpit.yaml, at the top of the homelab's repository", "")),
        ("", (1, "(file)", "is empty", "at least version: and hosts:", "")),
        ("# only a comment\n", (1, "(file)", "is empty", "at least version: and hosts:", "")),
    ],
)
def test_a_complaint_says_where_what_and_what_instead(
    tmp_path: Path, text: str, complaint: tuple[int, str, str, str, str]
) -> None:
    assert complaints(tmp_path, text) == [complaint]


def test_a_key_that_stands_twice_hides_no_other_mistake(tmp_path: Path) -> None:
    text = "version: 1\nhosts:\n  a: {address: x, user: Root}\n  a: {adress: y}\nkeep: 1\nkeep: 5\n"
    assert [(line, key, what) for line, key, what, *_ in complaints(tmp_path, text)] == [
        (3, "hosts.a.user", "is 'Root'"),
        (4, "a", "stands here twice"),
        (5, "keep", "is 1"),
        (6, "keep", "stands here twice"),
    ]


def test_all_complaints_come_at_once_in_file_order(tmp_path: Path) -> None:
    text = "version: 1\nkepp: 3\nhosts:\n  a:\n    adress: x\n    user: Root\n"
    text += "  b: {address: y, projects: [nix]}\nprojects:\n  c: {}\n"
    found = complaints(tmp_path, text)
    assert [(line, key) for line, key, *_ in found] == [
        (2, "kepp"),
        (5, "hosts.a.adress"),
        (5, "hosts.a.address"),
        (6, "hosts.a.user"),
        (7, "hosts.b.projects"),
        (9, "projects.c.source"),
    ]
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "cockpit.yaml")
    assert caught.value.what == "cockpit.yaml has 6 mistakes"
    assert caught.value.why.splitlines()[0] == "cockpit.yaml:2: kepp: is not known here; did you mean 'keep'?"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 1\nhosts: {a\n", 3),
        ("version: 1\n\thosts: 1\n", 2),
        ("a: b: c\n", 1),
        ("a: *nowhere\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    ((at, key, what, _, _),) = complaints(tmp_path, text)
    assert (at, key) == (line, "(syntax)") and what


def test_anchors_that_explode_and_endless_depth_are_refused(tmp_path: Path) -> None:
    laughs = "a0: &a0 [lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    for text in (laughs, "a: &a [*a]\n", "a: " + "[" * 60 + "]" * 60 + "\n"):
        ((_, key, what, _, _),) = complaints(tmp_path, text)
        assert (key, what) == ("(file)", "expands to too much")
    ((_, key, _, _, _),) = complaints(tmp_path, "a: " + "[" * 20_000)
    assert key in ("(syntax)", "(file)")


def test_anchors_that_are_meant_well_work(tmp_path: Path) -> None:
    text = "version: 1\nhosts:\n  a: {address: x, timing: &t {wait: 3}}\n  b: {address: y, timing: *t}\n"
    settings = load(write(tmp_path, text))
    assert settings.hosts["b"].timing.wait == 3.0


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        load(tmp_path / "cockpit.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        load(write(tmp_path, b"version: 1 # \xff\n"))
    with pytest.raises(UsageError, match="is too big"):
        load(write(tmp_path, HOST + "#" * 1024 * 1024))
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "folder")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120s", 120.0),
        ("2m", 120.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("1h", 3600.0),
        ("7", 7.0),
        (7, 7.0),
        (0.5, 0.5),
        (" 3s ", 3.0),
        ("", None),
        ("s", None),
        ("-3s", None),
        ("3 s", None),
        ("3d", None),
        ("1e3", None),
        (True, None),
        (None, None),
        ("3s\n4s", None),
    ],
)
def test_durations(text: object, expected: float | None) -> None:
    assert seconds(text) == expected


def test_find_goes_up_to_the_nearest(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"there is no cockpit\.yaml in .*/a/b or above"):
        find(inner)
    (tmp_path / "a" / "cockpit.yaml").mkdir()  # a folder of that name is not it
    outer = write(tmp_path, HOST)
    assert find(inner) == outer
    near = write(inner, HOST)
    assert find(inner) == near


FINGERPRINT = ":".join(["ab"] * 32)
CLUSTERS = f"""\
clusters:
  home:
    addresses: [10.0.0.1, "pve2.lan:443"]
    user: cockpit@pve!tui
    secret: {{file: secrets/proxmox.yaml, key: proxmox.token}}
    fingerprint: "{FINGERPRINT}"
    protected: true
"""


def test_a_cluster_is_read(tmp_path: Path) -> None:
    cluster = load(write(tmp_path, HOST + "    guest: home/101\n" + CLUSTERS)).clusters["home"]
    assert cluster.addresses == ("10.0.0.1", "pve2.lan:443")
    assert cluster.token
    assert cluster.fingerprint == FINGERPRINT.upper()
    assert (cluster.secret.file, cluster.secret.key, cluster.secret.env) == ("secrets/proxmox.yaml", "proxmox.token", None)
    assert cluster.protected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cockpit@pve!tui", "root", "cockpit.yaml:9: clusters.home.user"),
        ("{file: secrets/proxmox.yaml, key: proxmox.token}", "{}", "needs exactly one of file and env"),
        ("file: secrets/proxmox.yaml", "env: A, file: secrets/p.yaml", "needs exactly one of file and env"),
        (FINGERPRINT, "ab:cd", "clusters.home.fingerprint"),
        ('[10.0.0.1, "pve2.lan:443"]', "[]", "names no node"),
        ("  home:", "  hom:", "did you mean 'hom'?"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SettingsError) as found:
        load(write(tmp_path, HOST + "    guest: home/101\n" + CLUSTERS.replace(old, new)))
    assert said in found.value.why


def test_the_style_of_secrets(tmp_path: Path) -> None:
    assert load(write(tmp_path, HOST)).secret_style is SecretStyle.FILE
    assert load(write(tmp_path, HOST + "secrets: {style: sidecar}\n")).secret_style is SecretStyle.SIDECAR
    assert complaints(tmp_path, HOST + "secrets: {style: sidecars}\n") == [
        (5, "secrets.style", "is 'sidecars'", "file or sidecar", "sidecar")
    ]
