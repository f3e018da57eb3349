"""The engine's log stream: frames, lines, levels, stamps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cockpit.adapters.docker import lines, stream
from cockpit.adapters.docker.stream import log_chunks, open_stream
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.services import Level

NOW = 1_763_900_000.0


def frame(kind: int, payload: bytes) -> bytes:
    return bytes((kind, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


async def cut(parts: list[bytes], tty: bool = False) -> list[tuple[bool, bytes]]:
    """What comes of a stream that arrives in these parts, each read for itself."""
    reader = asyncio.StreamReader()
    found: list[tuple[bool, bytes]] = []

    async def collect() -> None:
        async for batch in log_chunks(reader, tty):
            assert batch
            found.extend(batch)

    collecting = asyncio.ensure_future(collect())
    for part in parts:
        reader.feed_data(part)
        while reader._buffer:  # type: ignore[attr-defined]  # noqa: ASYNC110 - a reader has no event for it
            await asyncio.sleep(0)
    reader.feed_eof()
    await collecting
    return found


LINES = frame(1, b"one\ntwo\nthr") + frame(2, b"err\n") + frame(1, b"ee\n") + frame(1, b"") + frame(2, b"last")
EXPECTED = [(False, b"one"), (False, b"two"), (True, b"err"), (False, b"three"), (True, b"last")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1000])
async def test_frames_may_be_cut_anywhere(size: int) -> None:
    assert await cut([LINES[at : at + size] for at in range(0, len(LINES), size)]) == EXPECTED


async def test_a_stream_that_ends_within_a_frame() -> None:
    assert await cut([frame(1, b"whole\n") + frame(1, b"half of it\n")[:12]]) == [(False, b"whole")]
    assert await cut([]) == []


async def test_a_terminal_has_no_frames() -> None:
    assert await cut([b"one\r\ntw", b"o\r\nend"], tty=True) == [(False, b"one\r"), (False, b"two\r"), (False, b"end")]


async def test_a_line_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LONGEST_LINE", 100)
    found = await cut([frame(1, b"x" * 60)] * 5)
    assert b"".join(line for _, line in found) == b"x" * 300 and max(len(line) for _, line in found) <= 160
    found = await cut([b"y" * 60] * 5, tty=True)
    assert b"".join(line for _, line in found) == b"y" * 300 and len(found) == 3


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level":"error","msg":"INFO"}', Level.ERROR),
        ('{"time": 1, "level": 30, "msg": "x"}', Level.INFO),
        ('{"severity": "WARNING"}', Level.WARN),
        ("2026-11-23T07:00:00Z level=info msg=ERROR", Level.INFO),
        ('time="x" level=warning msg="y"', Level.WARN),
        ("lvl=dbg x", Level.DEBUG),
        ("LEVEL=Fatal", Level.ERROR),
        ("level=strange ERROR", Level.UNKNOWN),
        ("2026-11-23 07:00:00 ERROR boom", Level.ERROR),
        ("[WARN] careful", Level.WARN),
        ("<NOTICE> x", Level.INFO),
        ("INFO: started", Level.INFO),
        ("main|DEBUG|x", Level.DEBUG),
        ("2026 CRITICAL", Level.ERROR),
        ("\x1b[32mINFO\x1b[0m:     started", Level.INFO),
        ("\x1b[1;31mlevel\x1b[0m=\x1b[31merror\x1b[0m", Level.ERROR),
        ("the level: warn", Level.WARN),
        ("an error occurred", Level.UNKNOWN),
        ("TERRORS and INFORMATION", Level.UNKNOWN),
        ("x" * 300 + " ERROR", Level.UNKNOWN),
        ("", Level.UNKNOWN),
    ],
)
def test_levels(text: str, level: Level) -> None:
    assert lines.level_of(text) is level


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T07:00:00Z", 1795417200.0),
        ("2026-11-23T07:00:00.5Z", 1795417200.5),
        ("2026-11-23T07:00:00.123456789Z", 1795417200.123456),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("2026-13-23T07:00:00Z", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_stamps(text: str, expected: float | None) -> None:
    assert lines.stamp(text) == expected


def test_one_line() -> None:
    raw = "2026-11-23T07:00:00.5Z \x1b]0;x\x07\x1b[31mERROR\x1b[0m [b]b\u202e\r".encode()
    line = lines.parse("alpha", "core", "web", True, raw, NOW)
    assert (line.time, line.text, line.stderr, line.level) == (1795417200.5, "\x1b[31mERROR\x1b[0m [b]b", True, Level.ERROR)
    bare = lines.parse("alpha", "core", "web", False, b"no stamp \xff", NOW)
    assert (bare.time, bare.text) == (NOW, "no stamp \ufffd")


def test_the_cache_of_stamps_is_bounded() -> None:
    for minute in range(6000):
        lines.stamp(f"2026-11-{minute // 1440 + 1:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z")
    assert len(lines._seconds) <= 4100


async def serve(folder: Path, answer: bytes) -> tuple[asyncio.Server, str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    path = str(folder / "s")
    return await asyncio.start_unix_server(one, path), path


async def test_the_reader_stands_behind_the_head(tmp_path: Path) -> None:
    server, path = await serve(tmp_path, b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody")
    reader, writer = await open_stream(path, "/x")
    assert await reader.read() == b"body"
    writer.close()
    server.close()


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "no\x1b[2J such"}', CockpitError, 'refuses: {"message": "no such"}'),
        (b"", Unreachable, "cannot be reached"),
        (b"\r\n\r\n", CockpitError, "refuses"),
        (b"HTTP/1.0 200 OK\r\n", Unreachable, "cannot be reached"),
    ],
)
async def test_other_answers(tmp_path: Path, answer: bytes, error: type[CockpitError], text: str) -> None:
    server, path = await serve(tmp_path, answer)
    with pytest.raises(error) as caught:
        await open_stream(path, "/x")
    assert type(caught.value) is error and text in str(caught.value)
    server.close()


async def test_no_engine_at_all(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await open_stream(str(tmp_path / "none"), "/x")


async def test_an_engine_that_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CONNECT", 0.1)
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _, writer: writers.append(writer), str(tmp_path / "s"))
    with pytest.raises(Unreachable, match="does not answer"):
        await open_stream(str(tmp_path / "s"), "/x")
    server.close()
    for writer in writers:
        writer.close()


@pytest.mark.parametrize(
    ("raw", "after"),
    [
        (b"2026-11-24T00:57:35.143107000Z hello", "1795481855.143107001"),
        (b"2026-11-24T00:57:35.999999999Z hello", "1795481856.000000000"),
        (b"2026-11-24T00:57:35.5Z", "1795481855.500000001"),
        (b"2026-11-24T00:57:35Z \xff", "1795481855.000000001"),
        (b"no stamp at all", None),
        (b"2026-11-24T00:57:35.1x3Z hello", None),
    ],
)
def test_what_comes_after_a_line_begins_a_nanosecond_on(raw: bytes, after: str | None) -> None:
    assert lines.after(raw) == after
