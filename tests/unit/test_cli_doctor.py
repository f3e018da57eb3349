"""`cockpit doctor` as a person, a program and GitHub Actions read it."""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path

import pytest

from cockpit.actions.doctor import CHECKS, Doctor, Examination, examine
from cockpit.actions.doctor.report import rows, wrap
from cockpit.cli import doctor as cli
from cockpit.cli import parser
from cockpit.cli.output import Pipe
from cockpit.domain.errors import Exit, Unreachable, UsageError
from tests.unit.clinic import Clinic


def _ill() -> Clinic:
    """Something to mend, to look at and to know; a host that does not answer; words that do not belong on a terminal."""
    clinic = Clinic()
    clinic.edit("compose/web/compose.yaml", "${TAILNET_IP:?}:443:443", "443:443")
    clinic.files.pop("compose/web/traefik.env")
    clinic.files.pop("compose/web/compose.lock.yaml")
    clinic.machine.versions.pop("lazygit")
    clinic.host.said = Unreachable("it does not answer", "\x1b]0;owned\x07no route \x1b[31mto host", "tailscale status")
    return clinic


def _args(*words: str) -> argparse.Namespace:
    return parser.build("0").parse_args(["doctor", *words])


def _run(clinic: Clinic, *words: str) -> tuple[Exit, str]:
    stream = io.StringIO()
    code = cli.run(_args(*words), lambda: Doctor(clinic.context), Pipe(stream))
    return code, stream.getvalue()


@pytest.fixture(autouse=True)
def _no_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_to_mend_comes_with_place_cause_and_fix_and_what_is_fine_is_a_number() -> None:
    code, text = _run(_ill())
    assert code is Exit.TO_DO
    assert "✕ files it names  traefik: there is no traefik.env in compose/web  compose/web/compose.yaml:6" in text
    assert "compose refuses the project\n" in text and "→ write compose/web/traefik.env\n" in text
    assert re.search(r"· lock +web: images are not pinned by digest", text)
    assert "git 2.50.1" not in text
    assert re.search(r"✕ 2 to mend   ▲ 1 to look at   · 2 to know   ◌ \d+ not looked at   ✓ \d+ fine\n$", text)
    # a silent host is told once, not by each check that wanted to ask it
    assert text.count("alpha: it does not answer") == 4 and "3 not looked at: alpha: it does not answer" in text


def test_the_group_with_the_worst_comes_first_and_those_in_which_all_is_well_last() -> None:
    text = _run(_ill())[1]
    groups = [match[1] for match in re.finditer(r"(?m)^([A-Z].*?) ─+ ", text)]
    assert groups[:2] == ["Compose", "Hosts"] and set(groups) > {"This machine", "Nix"}, "both have something to mend"
    assert groups.index("This machine") < groups.index("Container engine") < groups.index("Repository") < groups.index("Nix")


def test_verbose_shows_what_is_fine_and_the_cause_of_notes() -> None:
    text = _run(_ill(), "--verbose")[1]
    assert "git 2.50.1" in text and "a tag can move between two deploys" in text


def test_warnings_end_with_0_unless_strict() -> None:
    clinic = Clinic()
    clinic.edit("compose/web/compose.yaml", "${TAILNET_IP:?}:443:443", "443:443")
    assert _run(clinic)[0] is Exit.DONE
    assert "Nothing has to be mended; 1 thing will hurt one day." in _run(clinic)[1]
    assert _run(clinic, "--strict")[0] is Exit.TO_DO
    assert _run(Clinic(), "--strict")[0] is Exit.DONE
    assert "All is well." in _run(Clinic())[1]


def test_a_host_that_there_is_not_is_a_mistake_of_the_command_line() -> None:
    code, text = _run(Clinic(), "alpah")
    assert code is Exit.USAGE and "no host matches 'alpah'" in text
    nowhere = Clinic()
    nowhere.settings, nowhere.trouble = None, UsageError("there is no cockpit.yaml")
    assert _run(nowhere, "alpha")[0] is Exit.USAGE
    assert "cockpit init ./homelab" in _run(nowhere)[1]


def test_json_is_one_document_a_finding_and_a_count() -> None:
    code, text = _run(_ill(), "--output", "json")
    documents = [json.loads(line) for line in text.splitlines()]
    *findings, last = documents
    assert {d["event"] for d in findings} == {"Finding"} and last["event"] == "Examination"
    assert last["exit"] == code == 10 and last["fail"] == sum(d["level"] == "fail" for d in findings) == 2
    missing = next(d for d in findings if d["check"] == "compose.files")
    assert missing | {"why": ""} == {
        "event": "Finding", "check": "compose.files", "group": "compose", "title": "files it names", "level": "fail", "host": "",
        "file": "compose/web/compose.yaml", "line": 6, "what": "traefik: there is no traefik.env in compose/web", "why": "",
        "fix": "write compose/web/traefik.env",
    }  # fmt: skip
    assert "\x1b" not in text and "\\u001b" not in text


def test_github_gets_annotations_at_the_line_and_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    text = _run(_ill())[1]
    assert (
        "::error file=compose/web/compose.yaml,line=6,title=compose.files::traefik: there is no traefik.env in compose/web%0A"
        in text
    )
    assert "::warning file=compose/web/compose.yaml,line=5,title=compose.ports::" in text
    guarded = text.split("::stop-commands::")[1]
    assert "to mend" in guarded.split("::endgroup::")[0]
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("### cockpit doctor: ") and "| fail | compose.files |" in summary


async def _found(clinic: Clinic) -> Examination:
    return await examine(clinic.context(), CHECKS)


@pytest.mark.parametrize("width", [120, 80, 45, 30])
@pytest.mark.parametrize("verbose", [False, True])
async def test_no_line_is_wider_than_the_terminal_and_no_escape_gets_through(width: int, verbose: bool) -> None:
    found = await _found(_ill())
    for ascii_only in (False, True):
        lines = ["".join(text for text, _ in row) for row in rows(found, width, verbose=verbose, ascii_only=ascii_only)]
        assert max(map(len, lines)) <= width
        assert all(line.isprintable() for line in lines)
        if ascii_only:
            assert all(line.isascii() for line in lines)


def test_words_are_broken_only_where_they_do_not_fit() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("/nix/store/abcdefgh x", 8) == ["/nix/sto", "re/abcde", "fgh x"]
    assert wrap("", 5) == [""]
