"""What stands in the files: size, docstrings, and nothing of the machine that they were written on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts import check
from scripts.paths import TOP, shell_files, tracked

LINES = 400
PYTHON = [path for path in tracked() if path.suffix == ".py"]

# Put together from pieces, so that this file does not find itself.
_REGISTRIES = (
    ("py", "pi.org"),
    ("pythonhosted", ".org"),
    ("registry.npm", "js.org"),
    ("npmjs", ".com"),
    ("proxy.go", "lang.org"),
    ("sum.go", "lang.org"),
    ("deb.deb", "ian.org"),
    ("security.deb", "ian.org"),
    ("archive.ubu", "ntu.com"),
    ("cache.nix", "os.org"),
    ("crates", ".io"),
    ("registry-1.dock", "er.io"),
)
_MACHINE = ("/wo" + "rk/", "/ro" + "ot/.pyenv", "/ro" + "ot/.cache", "/ho" + "me/runner", "/opt/wh" + "eels", "/Us" + "ers/")
_TOKENS = (
    r"gh[pousr]_[A-Za-z0-9]{36}",
    r"github_pat_[A-Za-z0-9_]{40}",
    r"glpat-[A-Za-z0-9_-]{20}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"tskey-[a-z]+-[A-Za-z0-9]{8}",
    r"xox[abprs]-[A-Za-z0-9-]{10}",
    r"AKIA[0-9A-Z]{16}",
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    r"sk-[A-Za-z0-9]{40}",
)
TRACES = re.compile(
    "|".join(
        [rf"(?<![\w.]){re.escape(''.join(pieces))}" for pieces in _REGISTRIES]
        + [re.escape(path) for path in _MACHINE]
        + list(_TOKENS)
    )
)


EXAMPLE_KEY = "secrets/example.agekey"
"""The one private key that is public on purpose: what it opens are examples (secrets/README.md)."""


def name(path: Path) -> str:
    return str(path.relative_to(TOP))


def texts() -> list[tuple[str, str]]:
    """(name, text) of every tracked text file."""
    out = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data[:8000]:
            out.append((name(path), data.decode(errors="replace")))
    return out


def test_no_traces_of_machines_registries_or_tokens() -> None:
    found = [
        f"{file}:{number}: {match[0]}"
        for file, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := TRACES.search(line)) and not (file == EXAMPLE_KEY and match[0] == line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "trace", ["https://" + "py" + "pi.org/simple", "see /wo" + "rk/x", "gh" + "p_" + "a" * 36, "files.pythonhosted" + ".org"]
)
def test_the_search_for_traces_finds(trace: str) -> None:
    assert TRACES.search(f"text {trace} text") or TRACES.search(trace.replace("files.", ""))


def test_one_room_per_file() -> None:
    program = {name(path): len(path.read_text().splitlines()) for path in PYTHON if name(path).startswith("cockpit/")}
    assert len(program) > 10
    assert {file: lines for file, lines in program.items() if lines > LINES} == {}, "is it two rooms in one?"


def test_every_module_says_what_it_is() -> None:
    silent = [
        name(path)
        for path in PYTHON
        # An empty __init__.py of tests is a marker for Python, not a module.
        if (text := path.read_text()).strip() or not name(path).startswith("tests/")
        if not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_what_is_ignored_is_named() -> None:
    blanket = re.compile("#" + r" (?:type: ignore(?!\[)|noqa(?!: ?[A-Z]+[0-9]+)|mypy: |ruff: noqa)")
    found = [
        f"{name(path)}:{number}"
        for path in PYTHON
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if blanket.search(line)
    ]
    assert found == []


def test_shell_programs() -> None:
    step = check.shell()
    if step.missing:
        pytest.skip(step.missing)
    assert len(shell_files()) > 10
    done = check.run(step)
    assert done.returncode == 0, done.stdout
