"""The command line over a homelab in memory."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cockpit.__main__ as program
from cockpit.cli import parser
from cockpit.cli.choice import select
from cockpit.cli.github import cell, data, outputs, prop
from cockpit.cli.main import run
from cockpit.cli.output import Pipe
from cockpit.domain.errors import BuildFailed, Complaint, Exit, SettingsError, UsageError
from cockpit.domain.events import HostOutcome, Outcome
from tests.unit.fakes import Homelab, homelab, sha


def cli(lab: Homelab, *argv: str) -> tuple[Exit, str]:
    args = parser.build("0").parse_args(argv)
    stream = io.StringIO()
    code = run(args, lambda _: lab.cockpit, Pipe(stream))
    return code, stream.getvalue()


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "words",
    ("", "--config x --known-hosts y --headless", "--config=status", "--config", "--conf x", "--version", "-h", "-- status",
     "--config x status", "status --config x", "nonsense"),
)  # fmt: skip
def test_the_short_way_to_the_terminal_ui_understands_the_same(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def told(ask: Callable[[], argparse.Namespace]) -> tuple[object, ...]:
        try:
            return (vars(ask()), *capsys.readouterr())
        except SystemExit as end:
            return (end.code, *capsys.readouterr())

    argv = words.split()
    assert told(lambda: parser.parse("0", argv)) == told(lambda: parser.build("0").parse_args(argv))


def test_a_deploy_is_told_one_line_a_step() -> None:
    code, text = cli(homelab(), "deploy", "alpha", "--yes")
    assert code is Exit.DONE
    lines = text.splitlines()
    assert any(re.match(r"alpha +✓ activate +0\.5s", line) for line in lines)
    assert any("service" in line and "core/web recreate (image)" in line for line in lines)
    assert re.match(r"alpha +✓ done, generation 142", lines[-2]) and lines[-1].endswith(": done")


def test_without_yes_the_plan_is_shown_and_refused() -> None:
    lab = homelab()
    code, text = cli(lab, "deploy", "alpha")
    assert code is Exit.REFUSED and lab.alpha.requests == []
    assert "core/web recreate" in text and "hint: --yes" in text
    assert text.index("generation 141") < text.index("✕")


def test_nothing_to_do() -> None:
    lab = homelab()
    code, text = cli(lab, "deploy", "alpha", "--commit", sha("b"))
    assert code is Exit.DONE and "nothing to do" in text and lab.alpha.calls == ["facts"]


@pytest.mark.parametrize("argv", [["plan", "alpha"], ["deploy", "alpha", "--dry-run"], ["rollback", "alpha", "--dry-run"]])
def test_a_plan_with_something_to_do_is_ten(argv: list[str]) -> None:
    code, text = cli(homelab(), *argv)
    assert code is Exit.TO_DO and "core/web" in text


def test_a_rollback_says_what_it_leaves_out_and_never_takes_every_host() -> None:
    lab = homelab()
    code, text = cli(lab, "rollback", "--yes")
    assert code is Exit.USAGE and "of which host" in text
    code, text = cli(homelab(), "rollback", "--host", "alpha", "--to", "140", "--yes")
    assert code is Exit.DONE and "Add the proxy" in text


def test_an_error_says_what_why_and_hint() -> None:
    lab = homelab()
    lab.alpha.trouble.build = BuildFailed("error: attribute missing", "at flake.nix:3\nat line 4", "nix flake check")
    code, text = cli(lab, "deploy", "alpha", "--yes")
    assert code is Exit.BUILD
    assert "✕ prepare            error: attribute missing\n  at flake.nix:3\n  at line 4\n  hint: nix flake check\n" in text


def test_status_and_its_json() -> None:
    lab = homelab()
    lab.beta.trouble.unreachable = True
    code, text = cli(lab, "status")
    assert code is Exit.UNREACHABLE and "1 behind main" in text and re.search(r"beta +✕", text)
    lab = homelab()
    code, text = cli(lab, "status", "--output", "json")
    assert code is Exit.DONE and [json.loads(line)["host"] for line in text.splitlines()] == ["alpha", "beta"]


def test_json_is_one_document_a_line_and_ends_with_the_outcome() -> None:
    _, text = cli(homelab(), "deploy", "alpha", "--yes", "--output", "json")
    documents = [json.loads(line) for line in text.splitlines()]
    assert documents[-1]["event"] == "Outcome" and documents[-1]["exit"] == 0 and documents[-1]["result"] == "done"
    assert {"StepStarted", "StepFinished", "Plan", "Finished"} <= {d["event"] for d in documents}
    assert [d["seq"] for d in documents if "seq" in d] == sorted(d["seq"] for d in documents if "seq" in d)


def test_attach_and_resume() -> None:
    lab = homelab()
    cli(lab, "rollback", "alpha", "--yes")
    code, text = cli(lab, "attach", lab.audit.all[0]["run"])
    assert code is Exit.DONE and lab.audit.all[0]["run"] in text
    assert cli(lab, "resume", "alpha", "--yes")[0] is Exit.DONE


def test_hosts_are_named_by_name_glob_and_tag() -> None:
    hosts = list(homelab().cockpit.settings.hosts.values())
    assert select(hosts, []) == select(hosts, ["@prod"]) == select(hosts, ["*a"]) == ("alpha", "beta")
    assert select(hosts, ["be*", "alpha"]) == ("alpha", "beta") and select(hosts, ["beta"]) == ("beta",)
    with pytest.raises(UsageError):
        select(hosts, ["@lab"])


def commands_heard(text: str) -> list[str]:
    """What a GitHub runner would obey: workflow commands outside of stop-commands."""
    token, heard = None, []
    for line in text.splitlines():
        if token is not None:
            if line.strip() == f"::{token}::":
                token = None
        elif match := re.match(r"\s*::stop-commands::(.*)", line):
            token = match.group(1)
        elif line.strip().startswith("::") or "##[" in line:
            heard.append(line)
    assert token is None
    return heard


def test_github_output_and_a_hostile_remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    lab = homelab()
    evil = "::set-output name=changed::no"
    lab.alpha.trouble.build = BuildFailed(f"100% wrong\n{evil}", "##[add-mask]x", "a, b: c")
    lab.repository.commits[sha("c")] = lab.repository.commit("c", "b", subject=f"{evil} | <b>")
    code, text = cli(lab, "deploy", "alpha", "--yes")
    heard = commands_heard(text)
    assert code is Exit.BUILD
    errors = [line for line in heard if line.startswith("::error")]
    assert errors == [f"::error title=alpha prepare::100%25 wrong%0A{evil}%0A##[add-mask]x%0Ahint: a, b: c"]
    assert all(line.split(" ")[0].split("::")[1] in ("group", "endgroup", "error") for line in heard)
    assert (tmp_path / "output").read_text() == "changed=false\ngeneration=\nprevious=\nresult=build-failed\n"
    assert evil not in (tmp_path / "summary").read_text().split("|")[0]


def test_github_groups_never_nest_with_hosts_in_parallel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    code, text = cli(homelab(), "deploy", "--yes", "--output", "github")
    assert code is Exit.DONE
    depth = 0
    for line in commands_heard(text):
        depth += line.startswith("::group::") - line.startswith("::endgroup::")
        assert depth in (0, 1)
    assert depth == 0 and "::group::alpha activate" in text and "::group::beta activate" in text
    assert "activating the configuration..." in text
    summary = (tmp_path / "summary").read_text()
    assert "| alpha | ✓ done | 142 | ccccccccc | bbbbbbbbb |" in summary and "core/web" in summary
    assert "changed=true\ngeneration=alpha=142,beta=142\n" in (tmp_path / "output").read_text()


def test_a_summary_is_no_longer_than_a_comment_may_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """plan-report.yml makes one of it, and GitHub takes 65536 characters."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    lab = homelab()
    lab.alpha.trouble.build = BuildFailed("wrong", "a reason\n" * 10_000)
    cli(lab, "deploy", "--yes", "--output", "github")
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("### cockpit:") and len(summary) < 65536
    assert summary.endswith("(cut: the rest is in the log of the run)\n")


def test_escaping() -> None:
    assert data("50%\r\n") == "50%25%0D%0A" and prop("a:b,c") == "a%3Ab%2Cc"
    assert cell("a|b<c>`d`\nx") == "a\\|b&lt;c&gt;\\`d\\` x"
    assert cell("@ada #5 web:1@sha256:0") == "<span>@</span>ada \\#5 web:1<span>@</span>sha256:0"  # nobody is called
    one = Outcome("k3x9q2ab", Exit.REVERTED, (HostOutcome("a", Exit.REVERTED, "x", changed=True),))
    assert outputs(one).startswith("changed=false\n") and "result=reverted\n" in outputs(one)


def test_settings_errors_print_every_complaint() -> None:
    complaints = [
        Complaint("cockpit.yaml", 3, "hosts.a.adress", "unknown key", nearest="address"),
        Complaint("cockpit.yaml", 9, "keep", "is 0"),
    ]

    def broken(_: argparse.Namespace) -> Any:  # noqa: ANN401
        raise SettingsError(complaints)

    args = parser.build("0").parse_args(["status"])
    stream = io.StringIO()
    assert run(args, broken, Pipe(stream)) is Exit.USAGE
    assert all(str(c) in stream.getvalue() for c in complaints)
    args = parser.build("0").parse_args(["status", "--output", "github"])
    stream = io.StringIO()
    run(args, broken, Pipe(stream))
    assert (
        "::error file=cockpit.yaml,line=3,title=cockpit.yaml::hosts.a.adress: unknown key; did you mean 'address'?"
        in stream.getvalue()
    )


def test_a_usage_error_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        program.main(["deploy", "--comit", "x"])
    assert raised.value.code == 2
    assert program.main(["--headless"]) == 2 and "needs a terminal" in capsys.readouterr().err


def test_a_defect_leaves_a_report_without_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def broken(*_: object) -> Any:  # noqa: ANN401
        password = "hunter2"
        raise ValueError(password)

    monkeypatch.setattr(program, "_open_headless", broken)
    assert program.main(["status"]) == 1
    error = capsys.readouterr().err
    (report,) = (tmp_path / "cockpit").iterdir()
    assert "a defect in cockpit" in error and str(report) in error
    assert "hunter2" not in error + report.read_text() and "in broken" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_closed_pipe_does_not_end_the_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lab = homelab()
    args = parser.build("0").parse_args(["deploy", "alpha", "--yes"])
    with os.fdopen(writer, "w") as stream:
        assert run(args, lambda _: lab.cockpit, Pipe(stream)) is Exit.DONE
    assert lab.alpha.hold is None and lab.alpha.profile == lab.alpha.running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_transaction_detaches(number: signal.Signals) -> None:
    lab = homelab()
    lab.alpha.trouble.hang = True
    _when(lambda: "watch" in lab.alpha.calls, lambda: os.kill(os.getpid(), number), lab)
    # a shell that starts us in the background has SIGINT ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, text = cli(lab, "deploy", "alpha", "--yes")
    finally:
        signal.signal(signal.SIGINT, before)
    assert code is Exit.UNKNOWN and f"cockpit attach {lab.audit.all[-1]['run']}" in text


def _when(reached: Callable[[], bool], act: Callable[[], None], lab: Homelab) -> None:
    """Acts once, as soon as the host's watch call has been made."""
    original = lab.alpha.watch

    def watch(run: str, offset: int = 0) -> Any:  # noqa: ANN401
        asyncio.get_running_loop().call_soon(lambda: act() if reached() else None)
        return original(run, offset)

    lab.alpha.watch = watch  # type: ignore[method-assign]


@pytest.mark.parametrize("argv", [["deploy", "--help"], ["--help"], ["--version"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys\nfrom cockpit.__main__ import main\n"
        f"try:\n    main({argv!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'textual', 'rich', 'asyncio', 'asyncssh', 'click', 'docker', 'msgspec', 'inspect'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
