"""Files of a real repository: real git, and secrets by the real sops with age."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cockpit.actions.files import FileActions
from cockpit.actions.operations import Operations, unasked
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.adapters.git.worktree import GitWorkTree
from cockpit.adapters.sops import SopsStore
from cockpit.domain.errors import Exit, Refused, UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.files import Encryption, OpenFile
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier
from cockpit.domain.secret import Secret
from cockpit.observe.files import Files
from tests.contract.test_sops_contract import identity
from tests.unit.fake_clock import FakeClock

SECRET = "s3cr3t-horse-battery"
NEW = "brand-new-v4lue"
SAMPLES = {
    "secrets/app.yaml": (
        f"# the app\ndb:\n    # of the database\n    password: {SECRET}\n    user: ada\n    list:\n        - one\n        - one\n"
        "        - name_unencrypted: plain\n          token: two\nother: three\n"
    ),
    "secrets/app.json": '{\n\t"db": {\n\t\t"password": "'
    + SECRET
    + '",\n\t\t"user": "ada"\n\t},\n\t"other": [\n\t\t"x",\n\t\t7\n\t]\n}',
    "secrets/.env": f"# comment\nDB_PASSWORD={SECRET}\nUSER=ada\nOTHER=three\n",
    "secrets/app.ini": f"[db]\npassword = {SECRET}\nuser = ada\n\n[other]\nuser = three\n",
}
ODD = [" lead", "a\nb", 'q"uote', "-dash", ":(glob)*", "tab\there", "ü\u202e", "back\\slash", "[x]*?"]


class Lab:
    """A repository with one commit that holds the samples encrypted."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "lab"
        self.top.mkdir()
        self.key, recipient = identity(folder, "mine.txt")
        self.git("init", "-q", "-b", "main")
        self.write(".sops.yaml", f"creation_rules:\n  - path_regex: ^secrets/\n    age: {recipient}\n")
        self.write("README.md", "# Lab\n\nwords\n")
        self.tree = GitWorkTree(self.top)
        self.store = SopsStore(self.top, self.key)
        self.clock = FakeClock()
        self.files = Files(self.tree, self.store, self.clock)
        self.written: list[dict[str, Any]] = []
        gate = Gate(self.clock, headless=True)
        self.actions = FileActions(self.tree, self.store, Operations(self.clock, self, gate, "ada", "desk"))
        self.asked: list[tuple[Operation, Tier]] = []

    def append(self, record: dict[str, Any]) -> None:
        self.written.append(record)

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        return self.written[-limit:]

    def git(self, *args: str) -> str:
        return subprocess.run(["git", "-C", str(self.top), *args], check=True, capture_output=True).stdout.decode()

    def write(self, name: str, text: str) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    async def begin(self) -> Lab:
        for name, text in SAMPLES.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(await self.store.encrypt(name, Secret(text.encode())))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Start")
        return self

    def run(self) -> Run:
        return Run("run1", self.clock)

    async def approve(self, operation: Operation, tier: Tier) -> bool:
        self.asked.append((operation, tier))
        return True

    async def save(self, file: OpenFile, text: str) -> Outcome:
        return await self.actions.save(file, Secret(text.encode()), self.run(), unasked)


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name in [name for name in os.environ if name.startswith(("SOPS_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    return await Lab(tmp_path).begin()


def text(file: OpenFile) -> str:
    return file.text.reveal().decode()


@pytest.mark.parametrize("path", SAMPLES)
async def test_one_edited_value_is_one_line_in_git(lab: Lab, path: str, tmp_path: Path) -> None:
    file = await lab.files.open(path)
    assert file.secret
    assert len(file.readers) == 1
    assert file.base is not None
    outcome = await lab.save(file, text(file).replace(SECRET, NEW))
    assert outcome.exit is Exit.DONE, outcome
    again = await lab.files.open(path)
    assert text(again) == text(file).replace(SECRET, NEW)
    assert again.base is not None
    assert again.base.reveal() == file.text.reveal()
    changed = [line for line in lab.git("diff", "-U0", "--", path).splitlines() if re.match(r"[-+][^-+]", line)]
    names = sorted({m[0].lower() for line in changed if (m := re.search(r"(?i)password|lastmodified|mac", line))})
    # within one second the stamp is the same
    assert names in (["lastmodified", "mac", "password"], ["mac", "password"])
    assert len(changed) == 2 * len(names)
    for found in tmp_path.rglob("*"):
        if found.is_file() and found != lab.key:
            data = found.read_bytes()
            assert NEW.encode() not in data, found
            assert SECRET.encode() not in data, found


async def test_added_removed_and_swapped_values_decrypt_by_the_real_sops(lab: Lab) -> None:
    path = "secrets/app.yaml"
    file = await lab.files.open(path)
    new = (
        text(file)
        .replace("user: ada", "user: three")
        .replace("other: three", "other: ada\nadded: 1\n")
        .replace("        - one\n", "", 1)
    )
    assert (await lab.save(file, new)).exit is Exit.DONE
    data = (lab.top / path).read_bytes()
    assert b"three" not in data
    assert (await lab.store.decrypt(path, data, "other")).reveal() == b"ada"
    assert (await lab.store.decrypt(path, data, "added")).reveal() == b"1"


async def test_other_recipients_encrypt_everything_anew(lab: Lab, tmp_path: Path) -> None:
    path = "secrets/app.yaml"
    file = await lab.files.open(path)
    _, other = identity(tmp_path, "other.txt")
    rules = lab.top / ".sops.yaml"
    rules.write_text(rules.read_text().rstrip() + f",{other}\n")
    assert (await lab.save(file, text(file).replace(SECRET, NEW))).exit is Exit.DONE
    assert other in (await lab.files.open(path)).readers


@pytest.mark.parametrize(("value", "place"), [("0755", "db.user"), ("2024-01-02", "db.user"), ("!vault x", "")])
async def test_what_sops_would_change_is_not_saved(lab: Lab, value: str, place: str) -> None:
    path = "secrets/app.yaml"
    before = (lab.top / path).read_bytes()
    file = await lab.files.open(path)
    outcome = await lab.save(file, text(file).replace("user: ada", f"user: {value}"))
    assert outcome.exit in (Exit.REFUSED, Exit.USAGE)
    assert place in outcome.hosts[0].why
    assert value not in outcome.hosts[0].why or not place
    assert (lab.top / path).read_bytes() == before


@pytest.mark.parametrize("path", ["secrets/app.yaml", "README.md"])
async def test_a_file_that_changed_meanwhile_is_not_overwritten(lab: Lab, path: str) -> None:
    file = await lab.files.open(path)
    data = (lab.top / path).read_bytes() + b"# theirs\n"
    (lab.top / path).write_bytes(data)
    outcome = await lab.save(file, text(file) + "mine: 1\n")
    assert outcome.exit is Exit.REFUSED
    assert "changed on the disk" in outcome.hosts[0].text
    assert (lab.top / path).read_bytes() == data


async def test_a_missing_sops_or_key_is_said_with_a_hint(lab: Lab, tmp_path: Path) -> None:
    path = "secrets/app.yaml"
    file = await lab.files.open(path)
    before = (lab.top / path).read_bytes()
    stranger, _ = identity(tmp_path, "stranger.txt")
    for store in (SopsStore(lab.top, stranger), SopsStore(lab.top, lab.key, program="/nowhere/sops")):
        lab.actions._secrets = store
        outcome = await lab.save(file, text(file).replace(SECRET, NEW))
        assert outcome.exit is Exit.SECRET
        assert outcome.hosts[0].hint
        assert NEW not in repr(outcome)
        assert (lab.top / path).read_bytes() == before


async def test_a_plain_file_keeps_its_mode(lab: Lab) -> None:
    path = lab.write("run.sh", "#!/bin/sh\n")
    path.chmod(0o755)
    outcome = await lab.save(await lab.files.open("run.sh"), "#!/bin/sh\necho\n")
    assert outcome.exit is Exit.DONE
    assert path.read_text() == "#!/bin/sh\necho\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert sorted(p.name for p in lab.top.iterdir()) == [".git", ".sops.yaml", "README.md", "run.sh", "secrets"]


async def test_the_tree_tells_git_and_encryption(lab: Lab) -> None:
    lab.write("secrets/token.txt", "plain\n")
    lab.write("README.md", "# Lab\n\nother words\n\nmore\n")
    (lab.top / "secrets/.env").unlink()
    snapshot = await lab.files.read()
    found = {file.path: file for file in snapshot.files}
    assert found["secrets/app.yaml"].encryption is Encryption.ENCRYPTED
    assert found["secrets/token.txt"].encryption is Encryption.EXPOSED
    assert found["README.md"].encryption is Encryption.NONE
    letters = {path: file.change.letter for path, file in found.items() if file.change}
    assert letters == {"README.md": "M", "secrets/.env": "D", "secrets/token.txt": "?"}
    change = found["README.md"].change
    assert change is not None
    assert (change.added, change.removed) == (3, 1)
    again = await lab.files.read()
    assert again.files == snapshot.files


async def test_odd_names_are_staged_unstaged_discarded_and_read(lab: Lab) -> None:
    for name in ODD:
        lab.write(name, "x\n")
    assert {c.path for c in (await lab.tree.status()).changes} == set(ODD)
    for name in ODD:
        assert (await lab.tree.read(name, 100)).data == b"x\n"
        await lab.tree.stage([name])
        staged = [c.path for c in (await lab.tree.status()).changes if c.staged]
        assert staged == [name]
        await lab.tree.unstage([name])
    await lab.tree.stage(ODD[:3])
    changes = (await lab.tree.status()).changes
    await lab.tree.discard(changes)
    assert (await lab.tree.status()).changes == ()
    assert (lab.top / "README.md").exists()


@pytest.mark.parametrize("kind", ["absolute", "up", "link", "folder link", "git", "pipe", "missing", "large", "binary", "latin"])
async def test_what_is_not_opened(lab: Lab, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("outside\n")
    (lab.top / "link").symlink_to(outside / "file")
    (lab.top / "folder").symlink_to(outside)
    os.mkfifo(lab.top / "pipe")
    (lab.top / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    (lab.top / "binary").write_bytes(b"a\0b")
    (lab.top / "latin").write_bytes(b"caf\xe9\n")
    path = {
        "absolute": str(outside / "file"),
        "up": "../outside/file",
        "folder link": "folder/file",
        "git": ".git/config",
    }.get(kind, kind)
    with pytest.raises((Refused, UsageError)) as caught:
        await lab.files.open(path)
    words = {"large": "too large", "binary": "is binary", "latin": "UTF-8", "link": "leads out", "folder link": "leads out"}
    assert words.get(kind, "") in caught.value.what
    with pytest.raises((Refused, UsageError)):
        await lab.tree.write(path, b"new", "0" * 64)
    assert (outside / "file").read_text() == "outside\n"


async def test_stage_commit_amend(lab: Lab) -> None:
    lab.write("README.md", "other\n")
    assert (await lab.actions.commit("Words", lab.run(), lab.approve)).hosts[0].text == "nothing is staged"
    assert (await lab.actions.stage(["README.md"], lab.run(), lab.approve)).exit is Exit.DONE
    assert (await lab.actions.commit("Words: 'quoted'\n\n#body", lab.run(), lab.approve)).exit is Exit.DONE
    assert lab.git("log", "-1", "--format=%B").strip().startswith("Words: 'quoted'")
    lab.write("README.md", "once more\n")
    await lab.actions.stage(["README.md"], lab.run(), lab.approve)
    assert (await lab.actions.amend("", lab.run(), lab.approve)).exit is Exit.DONE
    assert lab.git("log", "--format=%s").splitlines() == ["Words: 'quoted'", "Start"]
    assert {tier for _, tier in lab.asked} == {Tier.REVERSIBLE}


async def test_a_plain_secret_is_not_committed(lab: Lab) -> None:
    lab.write("secrets/token.txt", "plain\n")
    await lab.tree.stage(["secrets/token.txt"])
    outcome = await lab.actions.commit("Token", lab.run(), lab.approve)
    assert outcome.exit is Exit.REFUSED
    assert "in plain text" in outcome.hosts[0].text
    assert lab.git("log", "--format=%s").split() == ["Start"]


async def test_a_plain_secret_is_encrypted_in_its_place(lab: Lab) -> None:
    path = lab.write("secrets/token.txt", "p1ain\n")
    assert (await lab.actions.encrypt("secrets/token.txt", lab.run(), lab.approve)).exit is Exit.DONE
    assert b"p1ain" not in path.read_bytes()
    assert (await lab.files.open("secrets/token.txt")).text.reveal() == b"p1ain\n"
    again = await lab.actions.encrypt("secrets/token.txt", lab.run(), lab.approve)
    assert again.hosts[0].text == "secrets/token.txt is encrypted already"
    lab.write("README.txt", "no rule\n")
    assert (await lab.actions.encrypt("README.txt", lab.run(), lab.approve)).exit is Exit.USAGE


async def test_a_hook_that_refuses_is_heard(lab: Lab) -> None:
    hook = lab.write(".git/hooks/pre-commit", "#!/bin/sh\necho no good >&2\nexit 1\n")
    hook.chmod(0o755)
    lab.write("README.md", "other\n")
    await lab.tree.stage(["README.md"])
    outcome = await lab.actions.commit("Words", lab.run(), lab.approve)
    assert outcome.exit is Exit.FAILED
    assert outcome.hosts[0].why == "no good"


@pytest.mark.parametrize(
    ("branch", "workflow", "tier"),
    [
        ("main", None, Tier.OUTAGE),
        ("work", None, Tier.REVERSIBLE),
        ("main", "on:\n  push:\n    branches: [prod]\n", Tier.REVERSIBLE),
        ("work/x", "on:\n  push:\n    branches: ['work/*']\n", Tier.OUTAGE),
        ("work", "on: push\n", Tier.OUTAGE),
        ("main", "on:\n  workflow_dispatch: {}\n", Tier.REVERSIBLE),
    ],
)
async def test_push_asks_by_what_it_starts(lab: Lab, tmp_path: Path, branch: str, workflow: str | None, tier: Tier) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "far.git")], check=True)
    lab.git("remote", "add", "origin", str(tmp_path / "far.git"))
    lab.git("switch", "-q", "-C", branch)
    if workflow is not None:
        lab.write(".github/workflows/deploy.yml", workflow)
    lab.git("add", "-A")
    lab.git("commit", "-q", "--allow-empty", "-m", "More")
    assert (await lab.actions.push(lab.run(), lab.approve)).exit is Exit.DONE
    operation, asked = lab.asked[-1]
    assert asked is tier
    assert operation.commands == (f"git push -u origin HEAD:{branch}",)
    assert len(operation.afterwards) == 2
    assert (await lab.actions.push(lab.run(), lab.approve)).hosts[0].text == "there is nothing to push"
    status = await lab.tree.status()
    assert (status.upstream, status.ahead, status.behind) == (f"origin/{branch}", 0, 0)
    assert (await lab.actions.amend("", lab.run(), lab.approve)).hosts[0].text == "the last commit was pushed"


async def test_pull_is_fast_forward_only_and_a_rejected_push_says_so(lab: Lab, tmp_path: Path) -> None:
    far = tmp_path / "far.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(far)], check=True)
    lab.git("remote", "add", "origin", str(far))
    await lab.actions.push(lab.run(), lab.approve)
    subprocess.run(["git", "clone", "-q", str(far), str(tmp_path / "other")], check=True)
    other = ["git", "-C", str(tmp_path / "other")]
    subprocess.run([*other, "commit", "-q", "--allow-empty", "-m", "Theirs"], check=True)
    subprocess.run([*other, "push", "-q"], check=True)
    assert "1 commits" in (await lab.actions.pull(lab.run(), lab.approve)).hosts[0].text
    subprocess.run([*other, "commit", "-q", "--allow-empty", "-m", "More of theirs"], check=True)
    subprocess.run([*other, "push", "-q"], check=True)
    lab.git("commit", "-q", "--allow-empty", "-m", "Mine")
    rejected = (await lab.actions.push(lab.run(), lab.approve)).hosts[0]
    assert rejected.exit is Exit.FAILED
    assert "has commits that are not here" in rejected.text
    refused = (await lab.actions.pull(lab.run(), lab.approve)).hosts[0]
    assert refused.exit is Exit.FAILED
    assert "fast-forward" in refused.why


async def test_discard_wants_the_name_and_says_what_is_lost(lab: Lab) -> None:
    lab.write("README.md", "other\n")
    lab.write("new.txt", "new\n")
    await lab.tree.stage(["new.txt"])
    lab.git("mv", "secrets/app.ini", "secrets/moved.ini")
    paths = [change.path for change in (await lab.tree.status()).changes]
    outcome = await lab.actions.discard(paths, lab.run(), lab.approve)
    assert outcome.exit is Exit.DONE, outcome
    operation, tier = lab.asked[-1]
    assert tier is Tier.DATA_LOSS
    assert operation.typed == "3 files"
    assert len(operation.lost) == 3
    assert (await lab.tree.status()).changes == ()
    assert (lab.top / "secrets/app.ini").exists()
    assert not (lab.top / "new.txt").exists()
