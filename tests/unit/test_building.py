"""What the log of a build says about why it failed; and what a local build is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters import process
from cockpit.adapters.nixos.building import LocalBuilder
from cockpit.adapters.nixos.nix import build_failed
from cockpit.domain.errors import BuildFailed, Exit
from cockpit.ports import BuildResult

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
        ([], "the build failed", "", "mend the commit"),
    ],
)  # fmt: skip
def test_the_cause_is_told(log: list[str], what: str, why: str, hint: str) -> None:
    error = build_failed(log)
    assert (error.exit, error.what, error.why) == (Exit.BUILD, what, why)
    assert error.hint.startswith(hint)


async def test_a_commit_is_built_from_a_path_with_odd_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    answer = process.Completed(0, f'[{{"outputs": {{"out": "{SYSTEM}"}}}}]'.encode(), b"copying\nbuilding\n")

    async def run(argv: tuple[str, ...], **more: Any) -> process.Completed:  # noqa: ANN401
        asked.append(argv)
        return answer

    monkeypatch.setattr(process, "run", run)
    builder = LocalBuilder(Path("/home/a b/lab"))
    items = [item async for item in builder.build("c" * 40, "nixos", "nixos")]
    assert items[:2] == ["copying", "building"]
    assert isinstance(items[2], BuildResult) and items[2].closure == SYSTEM
    where = f"git+file:///home/a%20b/lab?rev={'c' * 40}&allRefs=1&dir=nixos"
    assert asked[0][-1] == f'{where}#nixosConfigurations."nixos".config.system.build.toplevel'
    answer = process.Completed(0, b"[]", b"")
    with pytest.raises(BuildFailed):
        [item async for item in builder.build("c" * 40, "", "nixos")]
    assert "dir=" not in asked[1][-1]
