"""What the actions over files refuse, ask and record; real git and sops are in the contract tests."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.actions.files import FileActions
from cockpit.actions.operations import Operations
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.domain.errors import Exit, Refused, UsageError
from cockpit.domain.files import Encryption
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier
from cockpit.domain.secret import Secret
from cockpit.observe.files import Files
from tests.pilot.sample_files import SampleSecrets, SampleWorkTree, opened
from tests.unit.fake_clock import FakeClock

SECRET = "secrets/homelab/paperless.yaml"


class Bench:
    def __init__(self) -> None:
        clock = FakeClock()
        self.tree, self.secrets = SampleWorkTree(), SampleSecrets()
        self.gate = Gate(clock)
        self.files = Files(self.tree, self.secrets, clock)
        self.actions = FileActions(self.tree, self.secrets, Operations(clock, self, self.gate, "ada", "desk"))
        self.written: list[dict[str, Any]] = []
        self.asked: list[tuple[Operation, Tier]] = []
        self.answer = True
        self.run = Run("run1", clock)

    def append(self, record: dict[str, Any]) -> None:
        self.written.append(record)

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        return self.written[-limit:]

    async def ask(self, operation: Operation, tier: Tier) -> bool:
        self.asked.append((operation, tier))
        return self.answer


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_no_value_is_in_the_record_of_a_save(bench: Bench) -> None:
    file = await bench.files.open(SECRET)
    text = file.text.reveal().decode().replace("r3stic-horse", "n3w-horse")
    outcome = await bench.actions.save(file, Secret(text.encode()), bench.run, bench.ask)
    assert outcome.exit is Exit.DONE
    assert "n3w-horse" in opened(bench.tree.files[SECRET])
    assert "n3w-horse" not in repr((bench.written, bench.asked, bench.run.__dict__, file))
    assert bench.written[0]["commands"] == [f"sops edit -- {SECRET}"]


async def test_nothing_is_written_without_approval(bench: Bench) -> None:
    bench.answer = False
    file = await bench.files.open("README.md")
    outcome = await bench.actions.save(file, Secret(b"x"), bench.run, bench.ask)
    assert outcome.exit is Exit.REFUSED
    assert bench.tree.files["README.md"] != b"x"
    assert bench.written == []


async def test_a_file_that_sops_would_change_is_refused_by_its_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = await bench.files.open(SECRET)
    before = bench.tree.files[SECRET]
    monkeypatch.setattr(SampleSecrets, "lost", lambda self, path, wanted, got: "restic.mode")
    outcome = await bench.actions.save(file, Secret(b"restic:\n    mode: 0755\n"), bench.run, bench.ask)
    assert outcome.exit is Exit.REFUSED
    assert "restic.mode" in outcome.hosts[0].why
    assert bench.tree.files[SECRET] == before


async def test_a_result_that_is_not_encrypted_is_not_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def plain(self: SampleSecrets, path: str, text: Secret, before: bytes) -> bytes:
        return text.reveal()

    file = await bench.files.open(SECRET)
    before = bench.tree.files[SECRET]
    monkeypatch.setattr(SampleSecrets, "reencrypt", plain)
    outcome = await bench.actions.save(file, Secret(b"a: b\n"), bench.run, bench.ask)
    assert outcome.exit is Exit.SECRET
    assert bench.tree.files[SECRET] == before


@pytest.mark.parametrize(("deploys", "tier"), [(True, Tier.OUTAGE), (False, Tier.REVERSIBLE)])
async def test_the_tier_of_a_push(bench: Bench, deploys: bool, tier: Tier) -> None:
    bench.tree.deploys = deploys
    await bench.actions.push(bench.run, bench.ask)
    operation, asked = bench.asked[0]
    assert asked is tier
    assert bool(operation.interrupts) is deploys
    assert bench.tree.asked == ["push origin/main"]


async def test_many_files_are_named_in_part(bench: Bench) -> None:
    for number in range(30):
        bench.tree.files[f"new/{number:02}"] = b"x"
    paths = [change.path for change in bench.tree.changes()]
    await bench.actions.discard(paths, bench.run, bench.ask)
    operation, tier = bench.asked[0]
    assert tier is Tier.DATA_LOSS
    assert operation.typed == "33 files"
    assert operation.lost[-1].what == "and 21 more files"
    assert bench.tree.changes() == ()


async def test_staging_what_does_not_differ_says_so(bench: Bench) -> None:
    outcome = await bench.actions.stage(["README.md"], bench.run, bench.ask)
    assert outcome.hosts[0].text == "there is nothing to stage"
    assert bench.tree.asked == []


async def test_only_what_changed_is_looked_into_again(bench: Bench) -> None:
    looked: list[str] = []
    read_many = bench.tree.read_many

    async def watch(paths: list[str], most: int) -> dict[str, bytes]:
        looked.extend(paths)
        return await read_many(paths, most)

    bench.tree.read_many = watch  # type: ignore[method-assign, assignment]
    first = await bench.files.read()
    assert SECRET in looked
    assert "README.md" not in looked
    looked.clear()
    bench.tree.files[SECRET] = b"plain: 1\n"
    second = {file.path: file.encryption for file in (await bench.files.read()).files}
    assert looked == [SECRET]
    assert second[SECRET] is Encryption.EXPOSED
    assert {f.path: f.encryption for f in first.files}[SECRET] is Encryption.ENCRYPTED


async def test_a_missing_key_for_head_leaves_the_file_open_without_a_base(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    decrypt = SampleSecrets.decrypt
    head = bench.tree.head[SECRET]

    async def picky(self: SampleSecrets, path: str, data: bytes, key: str | None = None) -> Secret:
        if data == head:
            raise Refused("no key", "of that time")
        return await decrypt(self, path, data, key)

    monkeypatch.setattr(SampleSecrets, "decrypt", picky)
    file = await bench.files.open(SECRET)
    assert file.base is None
    assert file.note == "HEAD: of that time"


async def test_text_that_is_none_is_not_opened(bench: Bench) -> None:
    with pytest.raises(UsageError, match="is binary"):
        await bench.files.open("logo.png")
