"""What the log of a build says about why it failed; and what a local build is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cockpit.adapters import process
from cockpit.adapters.nixos.local import LocalBuilder
from cockpit.adapters.nixos.nix import build_failed
from cockpit.domain.errors import BuildFailed, Exit
from cockpit.domain.settings import HostSettings

SYSTEM = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-nixos"


@pytest.mark.parametrize(
    ("log", "what", "why", "hint"),
    [
        (
            ["building", "x> cockpit: project 'a': there is no folder 'b'", "x> cockpit: hint: is it committed?"],
            "the release cannot be built", "project 'a': there is no folder 'b'", "is it committed?",
        ),
        (
            ["error: outer", "       … while", "error: undefined variable 'x'", f" at /nix/store/{'a' * 32}-source/nixos/a:3:"],
            "the build failed", "undefined variable 'x'\nat nixos/a:3:", "mend the commit",
        ),
        (["error: No space left on device"], "the build failed: the disk is full", "No space left on device", "free space"),
        (
            ["error: unable to download 'https://x': Couldn't resolve host name (6)"],
            "the build failed", "unable to download 'https://x': Couldn't resolve host name (6)", "what it needs could not be",
        ),
        ([], "the build failed", "", "mend the commit"),
    ],
)  # fmt: skip
def test_the_cause_is_told(log: list[str], what: str, why: str, hint: str) -> None:
    error = build_failed(log)
    assert (error.exit, error.what, error.why) == (Exit.BUILD, what, why)
    assert error.hint.startswith(hint)


async def test_a_commit_is_built_from_a_path_with_odd_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    good = process.Completed(0, f'[{{"outputs": {{"out": "{SYSTEM}"}}}}]'.encode(), b"")
    answers = [good, process.Completed(0, b"[]", b""), process.Completed(1, b"", b"")]

    async def watched(argv: tuple[str, ...], told: Callable[[str], None], **more: Any) -> process.Completed:  # noqa: ANN401
        asked.append(argv)
        told("copying\x1b[2J")
        told("error: no such thing")
        return answers.pop(0)

    monkeypatch.setattr(process, "watched", watched)
    builder, lines = LocalBuilder(Path("/home/a b/lab")), list[str]()
    host = HostSettings("alpha", "192.0.2.1", flake="nixos#nixos")
    assert await builder.build(host, "c" * 40, lines.append) == SYSTEM
    assert lines == ["copying", "error: no such thing"]
    where = f"git+file:///home/a%20b/lab?rev={'c' * 40}&allRefs=1&dir=nixos"
    assert asked[0][-1] == f'{where}#nixosConfigurations."nixos".config.system.build.toplevel'
    assert "--no-update-lock-file" in asked[0] and "--impure" not in asked[0]
    while answers:
        with pytest.raises(BuildFailed):
            await builder.build(replace(host, flake=".#nixos"), None, lines.append)
        assert "dir=" not in asked[-1][-1] and "rev=" not in asked[-1][-1]
