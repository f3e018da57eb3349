"""The only door to local programs: never a shell, always a deadline, output bounded, the whole process group ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from cockpit.domain.errors import CockpitError, UsageError

MOST_OUTPUT = 64 * 1024 * 1024
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Completed:
    code: int
    out: bytes
    err: bytes

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
    try:
        async with asyncio.timeout(deadline):
            out, err = await process.communicate(stdin)
    except TimeoutError:
        raise CockpitError(
            f"{argv[0]} did not end", f"no answer within {deadline:.0f}s", f"run it by hand: {' '.join(argv)}"
        ) from None
    finally:
        await _end(process)
    if len(out) > MOST_OUTPUT:
        raise CockpitError(f"{argv[0]} printed too much", f"{len(out)} bytes")
    assert process.returncode is not None  # noqa: S101 - communicate() waited
    return Completed(process.returncode, out, err)


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
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("pipes were asked for")
    errors = asyncio.ensure_future(process.stderr.read(CHUNK))
    try:
        async with asyncio.timeout(deadline):
            process.stdin.write(stdin)
            await process.stdin.drain()
            process.stdin.close()
            while chunk := await process.stdout.read(CHUNK):
                yield chunk
            code = await process.wait()
            if code != 0:
                raise CockpitError(f"{argv[0]} failed ({code})", (await errors).decode("utf-8", "replace").strip())
    except TimeoutError:
        raise CockpitError(f"{argv[0]} did not end", f"no end within {deadline:.0f}s") from None
    finally:
        errors.cancel()
        await _end(process)


async def _start(
    argv: Sequence[str], stdin: bool, env: Mapping[str, str] | None, cwd: str | os.PathLike[str] | None, pass_fds: Sequence[int]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except FileNotFoundError:
        raise UsageError(f"{argv[0]} is not installed", "", f"install {argv[0]}, or put it on PATH") from None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
