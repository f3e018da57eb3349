"""`cockpit services`, `logs` and `do` over a homelab in memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from msgspec.structs import replace

from cockpit.cli import parser
from cockpit.cli.main import run
from cockpit.cli.output import Pipe
from cockpit.domain.errors import Exit, OperationFailed, Unreachable
from cockpit.domain.plan import Change, ServiceChange
from cockpit.domain.services import Health, State
from tests.unit.fakes import homelab
from tests.unit.test_cli import cli


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def test_services_are_a_line_each_and_a_silent_host_is_told() -> None:
    lab = homelab()
    lab.engines["alpha"].set("web", state=State.RESTARTING, health=Health.NONE, restarts=6, exit_code=137, oom=True)
    lab.engines["beta"].errors["services"] = [Unreachable("the container engine of beta does not answer", "timed out")]
    code, text = cli(lab, "services")
    lines = text.splitlines()
    assert code is Exit.UNREACHABLE and len(lines) == 3 and "does not answer: timed out" in lines[2]
    assert lines[0].split() == ["alpha", "✓", "core/db", "running", "healthy", "1h", "db:1"]
    assert "✕ core/web" in lines[1] and "6 restarts, exit 137, out of memory" in lines[1]
    code, text = cli(homelab(), "services", "beta", "--output", "json")
    found = [json.loads(line) for line in text.splitlines()]
    assert code is Exit.DONE and [(s["event"], s["host"], s["service"], s["state"]) for s in found] == [
        ("Service", "beta", "db", "running"), ("Service", "beta", "web", "running"),
    ]  # fmt: skip


def test_logs_end_and_are_one_document_a_line_as_json() -> None:
    code, text = cli(homelab(), "logs", "alpha/core/web", "--tail", "2")
    assert code is Exit.DONE
    assert [line.split()[1:] for line in text.splitlines()] == [["web", "line", "3"], ["web", "line", "4"]]
    assert text.startswith("2025-11-23T") and text.splitlines()[0].split()[0].endswith("Z")
    code, text = cli(homelab(), "logs", "alpha/core", "--since", "8s", "--output", "json")
    assert [json.loads(line)["text"] for line in text.splitlines()] == ["line 2", "line 3", "line 4"]


class Reader(io.StringIO):
    """Goes away after so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise BrokenPipeError
        return super().write(text)


def test_logs_follow_until_nobody_reads() -> None:
    stream = Reader(3)
    args = parser.build("0").parse_args(["logs", "alpha/core/web", "--tail", "2", "--follow"])
    assert run(args, lambda _: homelab().cockpit, Pipe(stream)) is Exit.DONE
    assert stream.getvalue().count("\n") == 3


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("logs", "alpha/core/mail"), "there is no alpha/core/mail"),
        (("logs", "gamma/core"), "there is no host 'gamma'"),
        (("logs", "alpha/core", "--since", "soon"), "30s, 10m, 2h, 1d"),
        (("logs", "alpha/core", "--tail", "-1"), "--tail -1"),
        (("do", "service.restrat", "alpha/core/web"), "did you mean service.restart?"),
        (("do", "guest.start", "home/101"), "there is no cluster 'home'"),
    ],
)
def test_what_cannot_be_is_usage(argv: tuple[str, ...], words: str) -> None:
    code, text = cli(homelab(), *argv)
    assert code is Exit.USAGE and words in text


def test_a_restart_needs_no_yes_and_a_stop_does() -> None:
    lab = homelab()
    code, text = cli(lab, "do", "service.restart", "alpha/core/web")
    assert code is Exit.DONE and "restarted, healthy" in text and "$ ssh cockpit@alpha.test docker restart" in text
    code, text = cli(lab, "do", "service.stop", "alpha/core/web")
    assert code is Exit.REFUSED and "(an outage)" in text and "--yes to apply" in text and len(lab.engines["alpha"].changed) == 1
    code, text = cli(lab, "do", "service.stop", "alpha/core/web", "--yes")
    assert code is Exit.DONE and lab.engines["alpha"].changed[-1][1].value == "stop" and lab.audit.all[-1]["exit"] == 0


def test_a_protected_host_wants_to_be_named() -> None:
    lab = homelab(protected=["alpha"])
    code, text = cli(lab, "do", "service.restart", "alpha/core/web", "--yes")
    assert code is Exit.REFUSED and "--approve-host alpha" in text and not lab.engines["alpha"].changed
    lab = homelab(protected=["alpha"], approve_hosts=["alpha"])
    assert cli(lab, "do", "service.restart", "alpha/core/web", "--yes")[0] is Exit.DONE


def test_up_of_a_project_as_json() -> None:
    lab = homelab()
    lab.alpha.wants = [ServiceChange("core", "web", Change.RECREATE, "image"), ServiceChange("core", "db", Change.KEEP)]
    code, text = cli(lab, "do", "project.up", "alpha/core", "--output", "json")
    found = [json.loads(line) for line in text.splitlines()]
    assert code is Exit.DONE and found[-1]["event"] == "Outcome" and found[-1]["result"] == "done"
    (told,) = [f for f in found if f["event"] == "Operation"]
    assert told["tier"] == "reversible" and told["interrupts"][0]["what"] == "core/web"


def test_what_did_not_work_is_twelve() -> None:
    lab = homelab()
    lab.engines["alpha"].later["web"] = [lambda d: replace(d, health=Health.UNHEALTHY)]
    assert cli(lab, "do", "service.restart", "alpha/core/web")[0] is Exit.FAILED
    lab = homelab()
    lab.engines["alpha"].errors["change"] = [OperationFailed("the engine could not restart it", "port is taken")]
    code, text = cli(lab, "do", "service.restart", "alpha/core/web")
    assert code is Exit.FAILED and "port is taken" in text


def test_github_tells_an_operation_in_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    code, text = cli(homelab(), "do", "service.restart", "alpha/core/web")
    assert code is Exit.DONE and "::group::operation" in text and "docker restart" in text


def test_no_textual_is_loaded() -> None:
    code = (
        "import sys; import cockpit.cli.main, cockpit.cli.services, cockpit.actions.doing; "
        "sys.exit(any(m.split('.')[0] in ('textual', 'rich', 'docker', 'asyncssh', 'requests') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
