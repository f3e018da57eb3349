"""How the tests come by OpenTofu: built once, whole or not at all, and said where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import tofu

GO = """#!/bin/sh
[ "$1" = list ] && exec {listing}
echo built >>"$(dirname "$0")/built"
printf part >"$GOBIN/tofu"
{rest}
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def go(tools: Path, *, listing: str = "echo module", rest: str = "exit 0") -> None:
    (tools / "go").write_text(GO.format(listing=listing, rest=rest))
    (tools / "go").chmod(0o755)


def test_it_is_built_once(tools: Path) -> None:
    go(tools)
    assert tofu.why_not() is None
    made = tofu.ready()
    assert made == tofu.ready() == tofu.binary() and made.read_text() == "part"
    assert made.is_relative_to(tools / "cache" / "cockpit" / "tofu") and made.parent.name.startswith(f"{tofu.version()}-")
    assert (tools / "built").read_text() == "built\n"


def test_a_build_that_fails_leaves_nothing_that_could_be_taken_for_it(tools: Path) -> None:
    go(tools, rest="echo 'no such module' >&2; exit 1")
    with pytest.raises(RuntimeError, match="no such module"):
        tofu.ready()
    assert not tofu.binary().exists() and [path.name for path in tofu.binary().parent.iterdir()] == ["tofu.lock"]


def test_why_not(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tools, listing="sh -c 'echo invalid go version >&2; exit 1'")
    assert "cannot be built: invalid go version" in str(tofu.why_not())
    monkeypatch.setenv("PATH", str(tools / "nothing"))
    assert "Go is not installed" in str(tofu.why_not())
