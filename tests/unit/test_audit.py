"""The audit log on disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cockpit.adapters import audit
from cockpit.adapters.audit import FileAuditLog


def test_what_is_written_is_read_newest_last(tmp_path: Path) -> None:
    log = FileAuditLog(tmp_path / "state" / "cockpit" / "audit.jsonl")
    assert log.records() == []
    for number in range(5):
        log.append({"n": number, "text": "two\nlines é"})
    assert [r["n"] for r in log.records()] == [0, 1, 2, 3, 4]
    assert [r["n"] for r in log.records(2)] == [3, 4]
    assert log.records(0) == []
    assert log.records()[0]["text"] == "two\nlines é"


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "cockpit" / "audit.jsonl"
    FileAuditLog(path).append({"n": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_damaged_lines_cost_only_themselves(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(
        b'{"n": 1}\n{"n": \n\xff\xfe\n[2]\n' + b"[" * 100_000 + b'\n{"t": "a\xe2\x80\xa8b\xc2\x85", "n": 3}\n{"n": 4'
    )  # the last write was cut off
    log = FileAuditLog(path)
    assert [r["n"] for r in log.records()] == [1, 3]
    log.append({"n": 5})
    log.append({"n": 6})
    assert [r["n"] for r in log.records()][-2:] == [5, 6]


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    first, second = FileAuditLog(tmp_path / "a"), FileAuditLog(tmp_path / "a")
    for number in range(50):
        (first if number % 2 else second).append({"n": number, "fill": "x" * 5000})
    assert [r["n"] for r in first.records()] == list(range(50))


def test_a_long_log_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "TAIL", 100)
    log = FileAuditLog(tmp_path / "a")
    for number in range(100):
        log.append({"n": number})
    found = [r["n"] for r in log.records()]
    assert found == list(range(100 - len(found), 100)) and 5 <= len(found) <= 20


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = FileAuditLog(tmp_path / "file" / "audit.jsonl")
    log.append({"n": 1})
    assert log.records() == []
