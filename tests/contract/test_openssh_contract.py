"""The early question by OpenSSH's client: it asks what the connection would ask, trusts no more, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cockpit.adapters.openssh import Question
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.errors import HostKeyMismatch
from tests.contract.test_ssh_contract import Machine, home, machine, settings

__all__ = ["home", "machine"]
pytestmark = pytest.mark.timeout(900)  # the first use on a machine builds the lab's image


@pytest.fixture(autouse=True)
def _configured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    # its home is the one of the password file, whatever $HOME says
    (home / ".ssh/config").write_text(f"Host *\n  IdentityFile {home}/.ssh/id_ed25519\n  IdentitiesOnly yes\n")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.sh"
    path.write_text('echo "$1 $SSH_CONNECTION"; echo why >&2; exit 3\n')
    return path


async def test_it_answers_and_the_connection_takes_its_answer(machine: Machine, script: Path) -> None:
    question = Question(settings(machine, machine.key), None, "sh -s quick", script)
    try:
        host = SshConnection(settings(machine, machine.key), asked=question)
        answer = await host.ask("sh -s quick", stdin=script.read_bytes())
        assert (answer.code, answer.err) == (3, b"why\n") and answer.out.startswith(b"quick ")
        # asked once: the next one is asked anew, by the connection
        again = await host.ask("sh -s quick", stdin=script.read_bytes())
        assert again.out != answer.out and again.code == 3
        await host.close()
    finally:
        question.close()


async def test_another_question_is_not_answered_by_it(machine: Machine, script: Path) -> None:
    question = Question(settings(machine, machine.key), None, "sh -s quick", script)
    try:
        host = SshConnection(settings(machine, machine.key), asked=question)
        assert (await host.ask("sh -s deep", stdin=script.read_bytes())).out.startswith(b"deep ")
        await host.close()
    finally:
        question.close()


async def test_a_key_that_is_not_the_pinned_one(machine: Machine, script: Path) -> None:
    wrong = machine.key[:-4] + ("AAAA" if machine.key[-4:] != "AAAA" else "BBBB")
    question = Question(settings(machine, wrong), None, "sh -s quick", script)
    try:
        assert await question.answer() is None
        with pytest.raises(HostKeyMismatch):
            await SshConnection(settings(machine, wrong), asked=question).ask("sh -s quick", stdin=b"")
    finally:
        question.close()


async def test_nothing_is_trusted_without_a_key(machine: Machine, script: Path, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    for known in (None, tmp_path / "known_hosts"):
        question = Question(settings(machine, None), known, "sh -s quick", script)
        assert await question.answer() is None
        question.close()


async def test_closed_it_leaves_no_process_and_no_folder(machine: Machine, tmp_path: Path) -> None:
    script = tmp_path / "slow.sh"
    script.write_text("sleep 60\n")
    question = Question(settings(machine, machine.key), None, "sh -s quick", script)
    process, folder = question._process, question._folder.name
    assert process is not None and Path(folder).is_dir()
    question.close()
    assert process.returncode is not None and not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert await question.answer() is None
