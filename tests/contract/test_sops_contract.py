"""The secret store against the real sops: round trips, every refusal in words, and no trace of a secret outside memory."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyrage
import pytest

from cockpit.adapters import process
from cockpit.adapters.sops import SopsStore, is_encrypted, kind_of, looks_plain
from cockpit.domain.errors import CockpitError, SecretError, UsageError
from cockpit.domain.secret import Secret
from cockpit.ports import SecretStore

VALUE = "correct-horse-battery"
SAMPLES = {
    "secrets/lab/app.yaml": f"db:\n    password: {VALUE}\n    port: 5432\n",
    "secrets/lab/app.json": '{\n\t"db": {\n\t\t"password": "' + VALUE + '"\n\t}\n}',
    "secrets/lab/.env.prod": f"DB_PASSWORD={VALUE}\nPORT=5432\n",
    "secrets/lab/app.ini": f"[db]\npassword = {VALUE}\n",
    "secrets/lab/key.pem": f"opaque {VALUE}\n\0\x01",
}


def identity(folder: Path, name: str) -> tuple[Path, str]:
    """(identity file, recipient) of a new age key."""
    key = pyrage.x25519.Identity.generate()
    file = folder / name
    file.write_text(f"{key}\n")
    return file, str(key.to_public())


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], SopsStore]:
    """A store over a repository whose .sops.yaml names its key."""
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        monkeypatch.delenv(name)
    mine, recipient = identity(tmp_path, "mine.txt")
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - path_regex: ^secrets/lab/\n    age: {recipient}\n")
    return lambda: SopsStore(tmp_path, mine)


@pytest.fixture
def store(make: Callable[[], SopsStore]) -> SopsStore:
    return make()


async def sealed(store: SecretStore, path: str = "secrets/lab/app.yaml") -> bytes:
    return await store.encrypt(path, Secret(SAMPLES[path].encode()))


@pytest.mark.parametrize("path", SAMPLES)
async def test_round_trip(store: SopsStore, path: str) -> None:
    data = await sealed(store, path)
    assert VALUE.encode() not in data
    assert store.is_encrypted(path, data)
    assert not looks_plain(path, data)
    plain = await store.decrypt(path, data)
    assert plain.reveal().decode().rstrip("\n") == SAMPLES[path].rstrip("\n")
    assert repr(plain) == str(plain) == f"{plain}" == "<secret>"


def test_kind_is_by_name() -> None:
    names = (
        "a.yaml",
        "a.yml",
        "a.JSON",
        ".env",
        "x/.env.prod",
        "app.env",
        "main.tfvars",
        "main.tfvars.json",
        "a.ini",
        "key.pem",
        "key",
    )
    kinds = ["yaml", "yaml", "json", "dotenv", "dotenv", "dotenv", "dotenv", "json", "ini", "binary", "binary"]
    assert [kind_of(name) for name in names] == kinds


async def test_one_value(store: SopsStore) -> None:
    data = await sealed(store)
    assert (await store.decrypt("secrets/lab/app.yaml", data, "db.password")).reveal() == VALUE.encode()
    assert (await store.decrypt("secrets/lab/app.yaml", data, "db.port")).reveal() == b"5432"
    with pytest.raises(SecretError, match=r"has no key 'db\.user'"):
        await store.decrypt("secrets/lab/app.yaml", data, "db.user")


async def test_the_version_is_that_of_the_program(store: SopsStore) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", await store.version())


async def test_a_wrong_key(store: SopsStore, tmp_path: Path) -> None:
    data = await sealed(store)
    stranger, _ = identity(tmp_path, "stranger.txt")
    with pytest.raises(SecretError) as caught:
        await SopsStore(tmp_path, stranger).decrypt("secrets/lab/app.yaml", data)
    assert "stranger.txt does not open it; who can: age1" in caught.value.why
    assert "updatekeys" in caught.value.hint


async def test_a_damaged_mac(store: SopsStore) -> None:
    data = await sealed(store)
    damaged = re.sub(rb"^    port: .*\n", b"", data, flags=re.MULTILINE)
    assert damaged != data
    with pytest.raises(SecretError) as caught:
        await store.decrypt("secrets/lab/app.yaml", damaged)
    assert "MAC" in caught.value.why
    assert caught.value.hint


async def test_a_plain_value_written_by_hand_is_not_repeated(store: SopsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With status 25 sops prints the plain text on its standard error."""
    seen: list[process.Completed] = []
    run = process.run

    async def watch(argv: Sequence[str], **options: Any) -> process.Completed:  # noqa: ANN401
        seen.append(await run(argv, **options))
        return seen[-1]

    data = await sealed(store)
    damaged = re.sub(rb"^    password: .*$", b"    password: by-hand-in-plain", data, flags=re.MULTILINE)
    monkeypatch.setattr(process, "run", watch)
    with pytest.raises(SecretError) as caught:
        await store.decrypt("secrets/lab/app.yaml", damaged)
    assert seen[-1].code == 25
    assert b"by-hand-in-plain" in seen[-1].err, "sops does not print it any more: this test proves nothing"
    error = caught.value
    assert "by-hand-in-plain" not in f"{error.what} {error.why} {error.hint} {error!r}"
    assert error.__cause__ is None


async def test_plain_text_is_refused(store: SopsStore) -> None:
    with pytest.raises(SecretError, match="is plain text"):
        await store.decrypt("secrets/lab/app.yaml", SAMPLES["secrets/lab/app.yaml"].encode())


async def test_what_no_rule_matches_is_refused(store: SopsStore) -> None:
    with pytest.raises(UsageError, match=r"no rule in \.sops\.yaml matches it") as caught:
        await store.encrypt("elsewhere/app.yaml", Secret(b"a: b\n"))
    assert "creation_rules" in caught.value.hint


async def test_without_rules(store: SopsStore, tmp_path: Path) -> None:
    (tmp_path / ".sops.yaml").unlink()
    with pytest.raises(UsageError, match=r"there is no \.sops\.yaml"):
        await sealed(store)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("secrets/lab/a.yaml", f"- {VALUE}\n"),
        ("secrets/lab/a.yaml", f"password: {VALUE}\npassword: again\n"),
        ("secrets/lab/a.json", "{" + VALUE),
        ("secrets/lab/a.env", f"A='{VALUE}\nmore'\n"),
        ("secrets/lab/a.yaml", f"1: {VALUE}\n"),
        ("secrets/lab/a.yaml", ""),
    ],
    ids=["list", "duplicate", "json", "multi-line", "number as key", "empty"],
)
async def test_what_sops_cannot_keep_is_refused(store: SopsStore, path: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        await store.encrypt(path, Secret(text.encode()))
    assert VALUE not in f"{caught.value} {caught.value.hint}"
    assert f"(as {kind_of(path)})" in caught.value.why


async def test_a_tag_that_sops_would_drop_is_refused(store: SopsStore) -> None:
    with pytest.raises(UsageError, match="would drop the tag !vault"):
        await store.encrypt("secrets/lab/a.yaml", Secret(b"a: !vault x\n"))
    assert await store.encrypt("secrets/lab/a.yaml", Secret(b"a: 'not !a tag'\nb: !!str 7\n"))


@pytest.mark.parametrize("path", SAMPLES)
async def test_never_twice(store: SopsStore, path: str) -> None:
    with pytest.raises(UsageError, match="encrypted already"):
        await store.encrypt(path, Secret(await sealed(store, path)))


async def test_a_rule_that_leaves_a_secret_plain_is_noticed(store: SopsStore, tmp_path: Path) -> None:
    rules = tmp_path / ".sops.yaml"
    rules.write_text(rules.read_text() + "    encrypted_regex: ^(data|stringData)$\n")
    with pytest.raises(SecretError) as caught:
        await store.encrypt("secrets/lab/a.yaml", Secret(f"data: x\npassword: {VALUE}\n".encode()))
    assert VALUE not in f"{caught.value} {caught.value.hint}"
    assert ".sops.yaml" in caught.value.hint


async def test_broken_recipients(store: SopsStore, tmp_path: Path) -> None:
    (tmp_path / ".sops.yaml").write_text("creation_rules:\n  - path_regex: .*\n    age: age1nonsense\n")
    with pytest.raises(CockpitError) as caught:
        await sealed(store)
    assert isinstance(caught.value, SecretError)
    assert VALUE not in f"{caught.value} {caught.value.hint}"


async def test_no_trace_of_a_secret(
    make: Callable[[], SopsStore], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither value nor key are in argv, in an environment, or on a disk; the key's only way is a memfd."""
    key = (tmp_path / "mine.txt").read_text().strip()
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("SOPS_AGE_KEY", "AGE-SECRET" + "-KEY-1OFSOMEBODYELSE")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    started: list[tuple[tuple[str, ...], dict[str, str], tuple[int, ...]]] = []
    start = asyncio.create_subprocess_exec

    async def watch(*argv: str, **kwargs: Any) -> asyncio.subprocess.Process:  # noqa: ANN401
        assert kwargs["env"] is not None, "the whole environment would be handed on"
        assert kwargs["start_new_session"], "sops would ask for a passphrase on the terminal"
        child = await start(*argv, **{**kwargs, "env": {**kwargs["env"], "TMPDIR": str(scratch)}})
        started.append((argv, kwargs["env"], kwargs["pass_fds"]))
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watch)
    store = make()
    for path in SAMPLES:
        await store.decrypt(path, await sealed(store, path))
    assert len(started) == 1 + 2 * len(SAMPLES)
    for argv, environment, descriptors in started:
        said = " ".join([*argv, *environment.values()])
        assert VALUE not in said
        assert key not in said
        assert "SOPS_AGE_KEY" not in environment
        assert ("decrypt" in argv) == bool(descriptors)
        if descriptors:
            assert environment["SOPS_AGE_KEY_FILE"] == f"/proc/self/fd/{descriptors[0]}"
    assert list(scratch.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
async def test_no_trace_of_a_secret_in_proc(store: SopsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other users can read of the running process: its command line and its environment."""
    data = await sealed(store)
    seen: list[bytes] = []
    start = asyncio.create_subprocess_exec

    async def watch(*argv: str, **kwargs: Any) -> asyncio.subprocess.Process:  # noqa: ANN401
        child = await start(*argv, **kwargs)
        # it waits for its standard input, which nobody has written yet
        place = Path(f"/proc/{child.pid}")
        while not (command := (place / "cmdline").read_bytes()):  # noqa: ASYNC110 - /proc tells nobody
            await asyncio.sleep(0)  # exec has begun, and the kernel has not yet laid out its arguments
        seen.append(command + (place / "environ").read_bytes())
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watch)
    await store.decrypt("secrets/lab/app.yaml", data)
    assert b"decrypt" in seen[0]
    assert b"/proc/self/fd/" in seen[0]
    assert VALUE.encode() not in seen[0]
    assert b"AGE-SECRET" + b"-KEY" not in seen[0]


async def test_an_old_sops_gives_way(store: SopsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "sops").write_text("#!/bin/sh\necho 'sops 3.7.3 (latest)'\n")
    (bin_ / "sops").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    assert await store.version() != "3.7.3"
    with pytest.raises(SecretError, match=r"sops 3\.7\.3 is too old: 3\.9 or newer is needed"):
        await SopsStore(tmp_path, None, str(bin_ / "sops")).version()


async def test_a_sops_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecretError):
        await SopsStore(tmp_path, None, str(tmp_path / "nowhere")).version()


def test_is_encrypted_needs_more_than_a_word() -> None:
    assert not is_encrypted("secrets/a.yaml", b"sops: is a program\npassword: x\n")
    assert not is_encrypted("secrets/a.yaml", b"")
    assert not is_encrypted("secrets/a.json", b'{"sops": {"mac": "plain"}}')
