"""Local programs: bounded, ended, explained."""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path

import pytest

from cockpit.adapters import process
from cockpit.domain.errors import CockpitError, UsageError


async def ends(pid: int) -> bool:
    """Waits for the end of a process that is not our child; False where it lives on."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = await asyncio.to_thread(select.select, [watched], [], [], 10)
    finally:
        os.close(watched)
    return bool(ready)


async def pid_from(fifo: Path) -> int:
    """Waits until the program under test has said its number."""
    return int(await asyncio.to_thread(fifo.read_text))


async def test_output_code_and_complaint() -> None:
    done = await process.run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in\xff")
    assert (done.code, done.out, done.complaint, done.text) == (3, b"in\xff", "err", "in\ufffd")


async def test_no_shell_and_no_terminal_input() -> None:
    assert (await process.run(["echo", "$HOME; ls", "*"])).text == "$HOME; ls *\n"
    assert (await process.run(["cat"])).out == b""


async def test_environment_and_folder(tmp_path: Path) -> None:
    done = await process.run(["sh", "-c", 'echo "$A $B"; pwd'], env={"A": "1", "PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert done.text == f"1 \n{tmp_path}\n"


async def test_complaints_are_told_line_by_line_as_they_come(tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    told: list[str] = []
    first = asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        first.set()

    script = 'echo one >&2; read -r _ <"$0"; printf "two\\nthree" >&2; echo out; exit 3'
    running = asyncio.ensure_future(process.watched(["sh", "-c", script, str(fifo)], tell, deadline=30))
    await asyncio.wait_for(first.wait(), 10)
    assert told == ["one"]
    await asyncio.to_thread(fifo.write_text, "on\n")
    done = await running
    assert (told, done.code, done.out, done.complaint) == (["one", "two", "three"], 3, b"out\n", "one\ntwo\nthree")


async def test_what_is_watched_has_a_deadline_and_bounds() -> None:
    with pytest.raises(CockpitError, match="sh did not end"):
        await process.watched(["sh", "-c", "sleep 60"], lambda line: None, deadline=0.2)
    lengths: list[int] = []
    script = "head -c 300000 /dev/zero >&2"
    done = await process.watched(["sh", "-c", script], lambda line: lengths.append(len(line)), deadline=30)
    assert sum(lengths) == 300_000 and max(lengths) <= 2 * process.CHUNK and len(done.err) == process.CHUNK


async def test_a_missing_program() -> None:
    with pytest.raises(UsageError, match="no-such-program is not installed"):
        await process.run(["no-such-program"])
    with pytest.raises(UsageError, match="no-such-program is not installed"):
        _ = [chunk async for chunk in process.chunks(["no-such-program"], stdin=b"")]


async def test_a_missing_folder_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(CockpitError) as caught:
        await process.run(["true"], cwd=tmp_path / "none")
    assert "not installed" not in str(caught.value)


async def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    with pytest.raises(CockpitError):
        await process.run([str(tmp_path / "program")])


async def test_past_the_deadline_the_whole_group_ends(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    argv = ["sh", "-c", f"sleep 1000 & echo $! >{fifo}; wait"]
    running = asyncio.ensure_future(process.run(argv, deadline=0.5))
    child = await pid_from(fifo)
    with pytest.raises(CockpitError, match="sh did not end: no answer within"):
        await running
    assert await ends(child)


async def test_a_child_that_outlives_the_program_ends_with_the_deadline(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(process.run(["sh", "-c", f"sleep 1000 & echo $! >{fifo}"], deadline=0.5))
    child = await pid_from(fifo)
    with pytest.raises(CockpitError, match="did not end"):
        await running
    assert await ends(child)


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(process.run(["sh", "-c", f"sleep 1000 & echo $! >{fifo}; wait"]))
    child = await pid_from(fifo)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await ends(child)


async def test_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT", 1000)
    assert len((await process.run(["head", "-c", "1000", "/dev/zero"])).out) == 1000
    with pytest.raises(CockpitError, match="printed too much"):
        await process.run(["head", "-c", "1001", "/dev/zero"])
    with pytest.raises(CockpitError, match="printed too much"):
        await process.run(["cat", "/dev/zero"])
    with pytest.raises(CockpitError, match="printed too much"):
        await process.run(["sh", "-c", "cat /dev/zero >&2"])


async def test_chunks_come_as_they_are_printed() -> None:
    found = b"".join([c async for c in process.chunks(["cat"], stdin=b"x" * 200_000)])
    assert found == b"x" * 200_000


async def test_chunks_of_a_program_that_does_not_read_its_input() -> None:
    found = b"".join([c async for c in process.chunks(["echo", "a"], stdin=b"x" * 4_000_000)])
    assert found == b"a\n"


async def test_chunks_of_a_failing_program() -> None:
    found: list[bytes] = []
    with pytest.raises(CockpitError, match=r"sh failed \(4\): why") as caught:
        async for chunk in process.chunks(["sh", "-c", "echo out; echo why >&2; exit 4"], stdin=b""):
            found.append(chunk)
    assert found == [b"out\n"] and caught.value.why == "why"


async def test_chunks_past_the_deadline() -> None:
    with pytest.raises(CockpitError, match="sleep did not end"):
        _ = [c async for c in process.chunks(["sleep", "1000"], stdin=b"", deadline=0.1)]


async def test_chunks_with_much_on_standard_error_do_not_hang() -> None:
    script = "head -c 1000000 /dev/zero >&2; echo done"
    assert [c async for c in process.chunks(["sh", "-c", script], stdin=b"", deadline=20)] == [b"done\n"]


async def test_leaving_chunks_early_ends_the_program(tmp_path: Path) -> None:
    found = process.chunks(["sh", "-c", "echo $$; exec sleep 1000"], stdin=b"")
    child = int(await anext(aiter(found)))
    await found.aclose()  # type: ignore[attr-defined]
    assert await ends(child)
