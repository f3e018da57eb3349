"""What a new homelab is told: each answer's check, the options, and the questions at a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cockpit.actions.new import answers
from cockpit.cli import new_answers, parser
from cockpit.cli.ask import Asker
from cockpit.cli.output import Pipe
from cockpit.domain.errors import CockpitError, UsageError

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0mPjmQrCE3Y0vIKmZ6ZpP4pG0ZTzPq7pVvGZsNTn6i"

PRIVATE = "-----BEGIN OPENSSH " + "PRIVATE KEY-----"  # in two pieces: the search for keys in this repository would find it

GOOD: list[tuple[Callable[[str], object], str, object]] = [
    (answers.host_name, "homelab", "homelab"),
    (answers.host_name, "n1", "n1"),
    (answers.address, "nest", "nest"),
    (answers.address, "nest.tail1234.ts.net:2222", "nest.tail1234.ts.net:2222"),
    (answers.address, "100.64.0.7", "100.64.0.7"),
    (answers.address, "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::1"),
    (answers.domain, "home.example.org", "home.example.org"),
    (answers.email, "a.b+c@example.org", "a.b+c@example.org"),
    (answers.timezone, "Europe/Berlin", "Europe/Berlin"),
    (answers.tailnet_ip, "100.101.102.103", "100.101.102.103"),
    (answers.tailnet_ip, "10.147.17.4", "10.147.17.4"),
    (answers.tailnet_ip, "fd7a:115c:a1e0::7", "fd7a:115c:a1e0::7"),
    (answers.ssh_key, f"{PUBLIC} ada@laptop\n", f"{PUBLIC} ada@laptop"),
    (answers.host_key, f"{PUBLIC} root@nest", PUBLIC),
    (answers.host_key, f"nest {PUBLIC}", PUBLIC),
    (answers.proxmox_url, "https://pve.example.org", "https://pve.example.org:8006"),
    (answers.proxmox_url, "https://192.0.2.4:8443/api2/json/", "https://192.0.2.4:8443"),
    (answers.proxmox_user, "cockpit@pve!tui", "cockpit@pve!tui"),
    (answers.fingerprint, ":".join(["ab"] * 32), ":".join(["AB"] * 32)),
    (answers.vmid, "101", "101"),
    (answers.author, "Ada B <ada@example.org>", ("Ada B", "ada@example.org")),
]
REFUSED: dict[Callable[[str], object], list[str]] = {
    answers.host_name: ["", "Home", "a.b", "-a", "a" * 64, "operator", "a\n", "1st", "on", "localhost"],
    answers.address: ["a b", "a;b", ""],
    answers.domain: ["home", "https://home.example.org", "home.example.org/", "a..b"],
    answers.email: ["me", "a b@example.org", "a@b\nX=1"],
    answers.timezone: ["Berlin/Europe", "", "../etc"],
    answers.tailnet_ip: ["1.1.1.1", "100.128.0.1", "127.0.0.1", "0.0.0.0", "169.254.1.1", "nest"],
    answers.ssh_key: [
        "ssh-ed25519 AAAA",
        f'{PUBLIC} a"b',
        f"{PUBLIC} ${{x}}",
        "",
        PRIVATE,
        f"{PUBLIC}\n{PUBLIC}",
    ],
    answers.host_key: ["ssh-rsa " + "A" * 60, "", "age1x"],
    answers.proxmox_url: ["http://pve:8006", "https://", "https://u:p@pve", "https://pve:x", "https://pve/ui", 'https://pve"'],
    answers.proxmox_name: ["a b"],
    answers.proxmox_user: ["root@pam"],
    answers.fingerprint: ["ab:cd", ":".join(["ab"] * 20), ""],
    answers.vmid: ["99", "1e3"],
    answers.author: ["Ada", "<a@b>", "Ada <ada>"],
}


@pytest.mark.parametrize(("check", "text", "value"), GOOD)
def test_what_is_taken(check: Callable[[str], object], text: str, value: object) -> None:
    assert check(text) == value


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in REFUSED.items() for text in texts])
def test_what_is_refused(check: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(text)
    assert caught.value.what and (caught.value.why or caught.value.hint)


def test_the_address_of_a_node() -> None:
    found = [answers.Proxmox(url, "n").address for url in ("https://pve:8006", "https://pve:8443", "https://[2001:db8::1]:8006")]
    assert found == ["pve", "pve:8443", "[2001:db8::1]"]


# ---- options and questions -------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "Europe/Paris")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def gather(*argv: str, ask: Asker | None = None, author: tuple[str, str] | None = ("Ada", "ada@example.org")) -> answers.Answers:
    return new_answers.gather(parser.build("0").parse_args(["init", "x", *argv]), author, ask)


def asker(said: list[str], lines: Iterator[str]) -> tuple[Asker, io.StringIO]:
    out = io.StringIO()

    def line(prompt: str) -> str:
        said.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    return Asker(Pipe(out), line, line), out


def test_everything_that_is_missing_is_told_at_once(home: Path) -> None:
    with pytest.raises(UsageError) as caught:
        gather(author=None)
    for option in ("--domain", "--email", "--ssh-key FILE", "--author"):
        assert option in caught.value.what


def test_by_options(home: Path) -> None:
    (home / "ci.pub").write_text(f"{PUBLIC} ci\n")
    (home / ".ssh/id_ed25519.pub").write_text(f"{PUBLIC} ada\n")
    got = gather("--domain", "a.example.net", "--email", "a@example.net", "--deploy-key", str(home / "ci.pub"), "--host", "nest")
    assert (got.host, got.address, got.timezone, got.tailnet_ip, got.proxmox) == ("nest", "nest", "Europe/Paris", "", None)
    assert (got.admin, got.deploy) == ((f"{PUBLIC} ada",), (f"{PUBLIC} ada", f"{PUBLIC} ci"))
    assert got.author is None, "git has one"


def test_proxmox_by_options(home: Path) -> None:
    (home / ".ssh/id_rsa.pub").write_text(f"{PUBLIC} ada\n")
    options = ["--domain", "a.example.net", "--email", "a@example.net"]
    got = gather(*options, "--proxmox", "https://pve", "--node", "n1", "--vmid", "300")
    assert got.proxmox is not None and got.proxmox.fingerprint == ""
    assert got.proxmox == answers.Proxmox("https://pve:8006", "n1", vmid=300)
    with pytest.raises(UsageError, match="--node"):
        gather(*options, "--proxmox", "https://pve")
    with pytest.raises(UsageError, match="--vmid is of no use without --proxmox"):
        gather(*options, "--vmid", "300")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--host", "Nest"), "'Nest' is no host name"),
        (("--domain", "x"), "'x' is no domain"),
        (("--ssh-key", "absent.pub"), "absent.pub cannot be read"),
        (("--author", "Ada"), "'Ada' is no author"),
    ],
)
def test_an_option_that_cannot_be_used(home: Path, options: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        gather(*options)
    assert told in caught.value.what


def test_a_file_with_several_keys(home: Path) -> None:
    (home / "all.pub").write_text(f"{PUBLIC}\n{PUBLIC}\n")
    with pytest.raises(UsageError, match="several lines"):
        gather("--domain", "a.example.net", "--email", "a@example.net", "--ssh-key", str(home / "all.pub"))


def test_a_private_key_is_told(home: Path) -> None:
    (home / "id").write_text(f"{PRIVATE}\nxx\n")
    with pytest.raises(UsageError, match="private ssh key"):
        gather("--domain", "a.example.net", "--email", "a@example.net", "--ssh-key", str(home / "id"))


def test_questions(home: Path) -> None:
    (home / ".ssh/id_ed25519.pub").write_text(f"{PUBLIC} ada\n")
    said: list[str] = []
    typed = [
        "Nest",
        "nest",
        "",
        "a.example.net",
        "me@example.net",
        "",
        "",
        "",
        "https://pve",
        "n1",
        "",
        "",
        "",
        "",
        "",
        "",
        "Ada <a@example.net>",
    ]
    ask, out = asker(said, iter(typed))
    got = gather(ask=ask, author=None)
    assert (got.host, got.address, got.domain, got.timezone) == ("nest", "nest", "a.example.net", "Europe/Paris")
    assert (got.admin, got.author) == ((f"{PUBLIC} ada",), ("Ada", "a@example.net"))
    assert got.proxmox == answers.Proxmox("https://pve:8006", "n1")
    assert said[:3] == [
        "Name of the host [homelab]: ",
        "Name of the host [homelab]: ",
        "Its name or address in the tailnet [nest]: ",
    ]
    assert "✕ 'Nest' is no host name: expected a letter" in out.getvalue()


def test_what_an_option_says_is_not_asked(home: Path) -> None:
    (home / ".ssh/id_ed25519.pub").write_text(f"{PUBLIC} ada\n")
    said: list[str] = []
    ask, _ = asker(said, iter([""] * 10))
    gather(
        "--host", "nest", "--address", "n", "--domain", "a.example.net", "--email", "a@example.net", "--timezone", "UTC", ask=ask
    )
    assert [prompt.split(" [")[0].split(" (")[0] for prompt in said] == [
        "Address of the host in the tailnet", "File of your public ssh key", "Address of Proxmox, e.g. https://pve.example.org:8006",
    ]  # fmt: skip


def test_the_end_of_input(home: Path) -> None:
    ask, _ = asker([], iter(["nest"]))
    with pytest.raises(CockpitError, match="no answer"):
        gather(ask=ask)


def test_yes_or_no() -> None:
    ask, _ = asker([], iter(["maybe", "n", "", "YES"]))
    assert [ask.yes("really?") for _ in range(3)] == [False, True, True]
