"""The only door to local programs: never a shell, always a deadline, output bounded, the whole process group ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cockpit.domain.errors import CockpitError, UsageError

MOST_OUTPUT = 64 * 1024 * 1024
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Completed:
    code: int
    out: bytes = field(repr=False)
    """Not in the representation: it may be a decrypted secret."""
    err: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """Standard error as words."""
        return self.err.decode("utf-8", "replace").strip()


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    deadline: float = 30.0,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Runs a program to its end. Past its deadline its process group is ended: CockpitError; a missing program: UsageError."""
    process = await _start(argv, stdin is not None, env, cwd, pass_fds)
    reading = asyncio.ensure_future(_read(process.stdout, argv[0]))
    errors = asyncio.ensure_future(_read(process.stderr, argv[0]))
    feeding = asyncio.ensure_future(_feed(process, stdin))
    done = False
    try:
        async with asyncio.timeout(deadline):
            out, err, _ = await asyncio.gather(reading, errors, feeding)
            code = await process.wait()
            done = True
    except TimeoutError:
        raise CockpitError(
            f"{argv[0]} did not end", f"no answer within {deadline:.0f}s", f"run it by hand: {' '.join(argv)}"
        ) from None
    finally:
        if not done:
            await _end(process, reading, errors, feeding)
    return Completed(code, out, err)


async def watched(
    argv: Sequence[str],
    told: Callable[[str], None],
    *,
    deadline: float,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Completed:
    """Like `run`; `told` gets each line of standard error as it comes, and the end of it is kept."""
    process = await _start(argv, False, env, cwd, ())
    reading = asyncio.ensure_future(_read(process.stdout, argv[0]))
    telling = asyncio.ensure_future(_tell(process.stderr, told))
    done = False
    try:
        async with asyncio.timeout(deadline):
            out, err = await asyncio.gather(reading, telling)
            code = await process.wait()
            done = True
    except TimeoutError:
        hint = f"run it by hand: {' '.join(argv)}"
        raise CockpitError(f"{argv[0]} did not end", f"no end within {deadline:.0f}s", hint) from None
    finally:
        if not done:
            await _end(process, reading, telling)
    return Completed(code, out, err)


async def foreground(argv: Sequence[str], *, cwd: str | os.PathLike[str] | None = None) -> int:
    """A program that has the terminal, to its end: a person is at it, so there is no deadline. Its ctrl+c is not ours."""
    with _deaf_to_interrupts():
        try:
            started = await asyncio.create_subprocess_exec(*argv, cwd=cwd)
        except FileNotFoundError:
            raise UsageError(f"{argv[0]} is not installed", "", f"install {argv[0]}, or put it on PATH") from None
        except OSError as error:
            raise CockpitError(f"{argv[0]} cannot be started", str(error)) from None
        return await started.wait()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A handler, not SIG_IGN: that one the program would inherit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def chunks(
    argv: Sequence[str],
    *,
    stdin: bytes,
    deadline: float = 600.0,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> AsyncIterator[bytes]:
    """Standard output of a program, as it comes. A failure raises CockpitError after what was printed before it."""
    process = await _start(argv, True, env, cwd, ())
    if process.stdout is None:
        raise AssertionError("a pipe was asked for")
    errors = asyncio.ensure_future(_read(process.stderr, argv[0]))
    feeding = asyncio.ensure_future(_feed(process, stdin))
    done = False
    try:
        async with asyncio.timeout(deadline):
            while chunk := await process.stdout.read(CHUNK):
                yield chunk
            await feeding
            code = await process.wait()
            if code != 0:
                raise CockpitError(f"{argv[0]} failed ({code})", (await errors).decode("utf-8", "replace").strip())
            done = True
    except TimeoutError:
        raise CockpitError(f"{argv[0]} did not end", f"no end within {deadline:.0f}s") from None
    finally:
        if not done:
            await _end(process, errors, feeding)


async def _start(
    argv: Sequence[str], stdin: bool, env: Mapping[str, str] | None, cwd: str | os.PathLike[str] | None, pass_fds: Sequence[int]
) -> asyncio.subprocess.Process:
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # it may run already, and asyncio would end the program alone, without its children
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise
    except FileNotFoundError as error:
        if error.filename != argv[0]:
            raise CockpitError(f"{argv[0]} cannot be started", str(error)) from None
        raise UsageError(f"{argv[0]} is not installed", "", f"install {argv[0]}, or put it on PATH") from None
    except OSError as error:
        raise CockpitError(f"{argv[0]} cannot be started", str(error)) from None


async def _feed(process: asyncio.subprocess.Process, stdin: bytes | None) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a program may end without reading all
        process.stdin.write(stdin or b"")
        await process.stdin.drain()
    process.stdin.close()


async def _read(stream: asyncio.StreamReader | None, program: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while stream is not None and (chunk := await stream.read(CHUNK)):
        size += len(chunk)
        if size > MOST_OUTPUT:
            raise CockpitError(f"{program} printed too much", f"more than {MOST_OUTPUT} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _tell(stream: asyncio.StreamReader | None, told: Callable[[str], None]) -> bytes:
    """The last lines, for an error; a line without an end is cut where the buffer is full."""
    kept, rest = b"", b""
    while stream is not None and (chunk := await stream.read(CHUNK)):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > CHUNK:
            lines, rest = [*lines, rest], b""
        for line in lines:
            told(line.decode("utf-8", "replace"))
        kept = (kept + chunk)[-CHUNK:]
    if rest:
        told(rest.decode("utf-8", "replace"))
    return kept


async def _end(process: asyncio.subprocess.Process, *pumps: asyncio.Future[Any]) -> None:
    """Ends the whole group, also where the program itself is gone and a child of it lives on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    # wait() waits for the pipes too, and a pipe that nobody reads any more never ends
    process._transport.close()  # type: ignore[attr-defined]
    await process.wait()
