"""What a defect shows: a report path and places, never values."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.tui.app import CockpitApp, places
from tests.pilot.sample import sample


def test_places_hold_no_values() -> None:
    def inner(password: str) -> None:
        raise ValueError(f"bad password {password}")

    try:
        try:
            inner("hunter2")
        except ValueError as error:
            raise RuntimeError("while hunter2") from error
    except RuntimeError as error:
        found = "\n".join(places(error))
    assert "RuntimeError" in found
    assert "ValueError" in found
    assert "hunter2" not in found
    assert "test_crash.py" in found


async def test_a_crash_names_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    app = CockpitApp(sample())
    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            await pilot.pause()

            def crash() -> None:
                token = "hunter2"
                raise RuntimeError(f"with {token}")

            app.call_later(crash)
            await pilot.pause()
    reports = list(tmp_path.glob("cockpit-crash-*"))
    assert len(reports) == 1
    assert "hunter2" not in reports[0].read_text()
