"""`cockpit secrets new` in a clone of the reference homelab: everything anew for one's own keys, or nothing changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cockpit.adapters.keys import SystemKeys
from cockpit.domain.keys import EXAMPLE
from scripts.paths import TOP
from tests.contract.new_homelab import Person, decrypt, fault, new_key, secrets, sops, yaml

STORED = "--i-stored-the-recovery-key"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """With a clone in `clone`."""
    person = Person(tmp_path / "ada")
    clone = person.home / "clone"
    for part in ("cockpit.yaml", ".sops.yaml"):
        clone.mkdir(exist_ok=True)
        shutil.copy(TOP / part, clone)
    shutil.copytree(TOP / "secrets", clone / "secrets")
    return person


def content(person: Person) -> dict[str, bytes]:
    """Everything in the clone."""
    clone = person.home / "clone"
    return {path.relative_to(clone).as_posix(): path.read_bytes() for path in sorted(clone.rglob("*")) if path.is_file()}


def renew(person: Person, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return person.cockpit("secrets", "new", *argv, cwd=person.home / "clone", stdin=stdin)


def edit(path: Path, key: str, value: str) -> None:
    """As somebody does who fills in an example."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/var/empty", "SOPS_AGE_KEY_FILE": str(TOP / "secrets/example.agekey")}
    subprocess.run([sops(), "set", str(path), key, value], env=env, check=True, capture_output=True)


def test_everything_is_anew(person: Person) -> None:
    clone, before = person.home / "clone", content(person)
    (person.home / "tmp").mkdir()
    person.environ["TMPDIR"] = str(person.home / "tmp")
    done = renew(person, STORED, "--set", "tofu-token-id=-", stdin="tofu@pve!lab\n")
    assert done.returncode == 0, done.stdout + done.stderr
    after = content(person)
    assert after.keys() == before.keys() - {"secrets/example.agekey"}
    same = [path for path in after if after[path] == before[path]]
    assert same == ["secrets/README.md", "secrets/template.yaml"]
    opened = [decrypt(path, person.keys) for path in secrets(clone)]
    assert None not in opened
    assert (decrypt(clone / "secrets/operator/tofu.yaml", person.keys) or {})["pm_api_token_id"] == "tofu@pve!lab"
    assert [decrypt(path, TOP / "secrets/example.agekey") for path in secrets(clone)] == [None] * len(opened)
    assert not any(EXAMPLE.encode() in data for data in after.values())
    host = (decrypt(clone / "secrets/operator/host-keys.yaml", person.keys) or {})["homelab"]
    (person.home / "host").write_text(host)
    assert decrypt(clone / "secrets/homelab/traefik.yaml", person.home / "host") is not None
    assert decrypt(clone / "secrets/operator/tofu.yaml", person.home / "host") is None
    pinned = yaml(clone / "cockpit.yaml")["hosts"]["homelab"]["host_key"]
    assert pinned in (clone / ".sops.yaml").read_text()
    assert person.cockpit("config", "check", cwd=clone).returncode == 0
    assert list((person.home / "tmp").iterdir()) == []


def test_the_host_s_own_key(person: Person, tmp_path: Path) -> None:
    clone, host = person.home / "clone", SystemKeys().ssh()
    paper, public = new_key(tmp_path, "paper")
    done = renew(person, "--recovery-key", f"@{paper}", "--host-key", f"homelab={host.public}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (clone / "secrets/operator/host-keys.yaml").exists(), "the example's would be nobody's"
    assert yaml(clone / "cockpit.yaml")["hosts"]["homelab"]["host_key"] == host.public
    assert all(decrypt(path, paper) is not None for path in secrets(clone))
    keys = yaml(clone / ".sops.yaml")["keys"]
    assert keys[1:] == [public, host.public]


def test_a_second_time_needs_force(person: Person, tmp_path: Path) -> None:
    paper, public = new_key(tmp_path, "paper")
    assert renew(person, "--recovery-key", public).returncode == 0
    before = content(person)
    done = renew(person, "--recovery-key", public)
    assert done.returncode == 9 and "is not an example" in done.stdout and "--force" in done.stdout
    assert content(person) == before
    assert renew(person, "--recovery-key", public, "--force").returncode == 0
    after = content(person)
    assert {path for path in after if after[path] == before[path]} == {"secrets/README.md", "secrets/template.yaml"}
    assert all(decrypt(path, paper) is not None for path in secrets(person.home / "clone"))


def test_a_value_that_was_filled_in_is_not_lost(person: Person) -> None:
    edit(person.home / "clone/secrets/homelab/traefik.yaml", '["cloudflare"]["dns-api-token"]', '"t0ken"')
    before = content(person)
    done = renew(person, STORED)
    assert done.returncode == 9 and "secrets/homelab/traefik.yaml has a value for cloudflare.dns-api-token" in done.stdout
    assert content(person) == before and not person.keys.exists()


@pytest.mark.parametrize("what", ["file", "plain", "rule"])
def test_what_would_be_left_behind(person: Person, what: str) -> None:
    clone = person.home / "clone"
    if what == "file":
        shutil.copy(clone / "secrets/homelab/gotify.yaml", clone / "secrets/homelab/more.yaml")
        told = "secrets/homelab/more.yaml is not in secrets/template.yaml"
    elif what == "plain":
        (clone / "secrets/homelab/gotify.yaml").write_text("admin-password: x\n")
        told = "secrets/homelab/gotify.yaml is not an example"
    else:
        with (clone / ".sops.yaml").open("a") as file:
            file.write(f"  - path_regex: ^deep/.*\n    age: {EXAMPLE}\n")
        told = "has a rule that is not of the template"
    before = content(person)
    done = renew(person, STORED)
    assert done.returncode == 9 and told in done.stdout, done.stdout + done.stderr
    assert content(person) == before and not person.keys.exists()


def test_a_machine_that_could_not_read_changes_nothing(person: Person, tmp_path: Path) -> None:
    _, other = new_key(tmp_path, "other")
    before = content(person)
    done = renew(person, STORED, "--operator-key", other)
    assert done.returncode == 9 and "this machine could not read the secrets" in done.stdout
    assert content(person) == before


def test_a_disk_that_refuses_changes_nothing(person: Person) -> None:
    """The last of the files cannot be written: those before it are as they were, and the new key is gone."""
    before = content(person)
    fault(person, 15, "raise OSError(28, 'No space left', str(args[0]))")
    done = renew(person, STORED)
    assert done.returncode == 1 and "No space left; nothing was changed" in done.stdout, done.stdout + done.stderr
    assert content(person) == before and not person.keys.exists()


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_files_are_moved_comes_too_late(person: Person, signal: str) -> None:
    fault(person, 3, f"os.kill(os.getpid(), signal.{signal})")
    done = renew(person, STORED)
    assert done.returncode == 0 and "AGE-SECRET-KEY-1" in done.stdout, done.stdout + done.stderr
    opened = [decrypt(path, person.keys) for path in secrets(person.home / "clone")]
    assert len(opened) >= 11 and None not in opened


def test_a_second_interrupt_while_files_are_moved_changes_nothing(person: Person) -> None:
    before = content(person)
    fault(person, 7, "raise KeyboardInterrupt")
    done = renew(person, STORED)
    assert done.returncode == 9 and "interrupted" in done.stdout, done.stdout + done.stderr
    assert content(person) == before and not person.keys.exists()


def test_a_killed_one_is_told_and_mended(person: Person) -> None:
    before = content(person)
    fault(person, 7, "os.kill(os.getpid(), signal.SIGKILL)")
    assert renew(person, STORED).returncode == -9
    person.environ.clear()
    mixed = content(person)
    assert mixed.keys() > before.keys() - {".sops.yaml"}
    done = renew(person, STORED)
    assert done.returncode == 9 and "an earlier run was killed" in done.stdout and "--force" in done.stdout, done.stdout
    assert content(person) == mixed
    done = renew(person, STORED, "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(person).keys() == before.keys() - {"secrets/example.agekey"}
    assert None not in [decrypt(path, person.keys) for path in secrets(person.home / "clone")]


def test_who_only_looks_changes_nothing(person: Person) -> None:
    settings = person.home / ".config/cockpit/config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("role: observe\n")
    before = content(person)
    done = renew(person, STORED)
    assert done.returncode == 9 and "role: observe" in done.stdout
    assert content(person) == before


def test_no_template(person: Person) -> None:
    (person.home / "clone/secrets/template.yaml").unlink()
    done = renew(person, STORED)
    assert done.returncode == 2 and "there is no secrets/template.yaml" in done.stdout


def test_a_template_with_a_mistake(person: Person) -> None:
    (person.home / "clone/secrets/template.yaml").write_text("version: 1\nfiles: {homelab/a.yaml: {b: {randm: 8}}}\n")
    done = renew(person, STORED)
    assert done.returncode == 2 and "homelab/a.yaml b: needs exactly one of" in done.stdout


def test_make_secrets_calls_it() -> None:
    text = (TOP / "Makefile").read_text()
    assert "\nsecrets: $(READY) ## " in text and "-m cockpit secrets new $(ARGS)" in text
