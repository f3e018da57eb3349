"""`cockpit init` at a terminal: it asks, asks again, shows the recovery key once, and ctrl+c leaves nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator

import pytest

from scripts.examples import template
from scripts.paths import TOP
from tests.contract.new_homelab import Person, decrypt, new_key, secrets
from tests.e2e.terminal import Terminal, terminals

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("tmux"), reason="not installed: tmux")]


class Window(Terminal):
    """A person at a terminal, in a home of their own."""

    @property
    def person(self) -> Person:
        return self._person

    def begin(self, *argv: str, clone: bool = False) -> None:
        """`clone`: in a clone of the reference homelab instead of the home."""
        (self.folder / "tmp").mkdir(parents=True)
        self._person = Person(self.folder / "home")
        where = self.folder / "home"
        if clone:
            where = where / "clone"
            shutil.copytree(TOP / "secrets", where / "secrets")
            for name in ("cockpit.yaml", ".sops.yaml"):
                shutil.copy(TOP / name, where)
        set_to = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._person.environment().items())
        command = shlex.join([sys.executable, "-P", "-m", "cockpit", *argv])
        begin = f"cd {where}; unset COLUMNS LINES; export TMPDIR={self.folder}/tmp TZ=Europe/Paris {set_to}"
        script = f"{begin}; {command}; echo ended: $?; exec sleep 600"
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", "150", "-y", "60", script)

    def answer(self, question: str, text: str = "") -> None:
        self.shows(question)
        self.type(text)
        self.press("Enter")


@pytest.fixture
def window() -> Iterator[Window]:
    with terminals(1) as (made,):
        yield Window(made.folder, made.name)


def hidden(window: Window, given: dict[str, str]) -> None:
    """What is asked for without an echo. Each waits for its own question: what is typed ahead is thrown away there."""
    for name, wanted in template().asks().items():
        window.answer(f"{wanted.what} (hidden; enter: later):"[-120:], given.get(name, ""))


def begin(window: Window) -> None:
    """Up to the question for the operator's key."""
    window.begin("init", "lab")
    window.answer("Name of the host [homelab]:", "My Host")
    window.shows("'My Host' is no host name")
    window.answer("Name of the host [homelab]:", "nest")
    window.answer("tailnet [nest]:")
    window.answer("services become NAME.DOMAIN:", "lab.example.net")
    window.answer("Your address for mail", "ada@example.net")
    window.answer("Time zone [Europe/Paris]:")
    window.answer("Address of the host in the tailnet (enter: it has none yet):")
    window.answer("File of your public ssh key [")
    window.answer("(enter: no Proxmox):")
    hidden(window, {"cloudflare-token": "cf-t0ken"})


def test_questions_to_the_end(window: Window) -> None:
    begin(window)
    window.answer("Make one in", "y")
    window.answer("Recovery key (age1..., kept offline) (enter: one is made):")
    window.shows("It is shown once", "The last 6 characters of AGE-SECRET-KEY")
    (key,) = re.findall(r"AGE-SECRET-KEY-1[0-9A-Z]{58}", window.screen())
    window.answer("The last 6 characters of AGE-SECRET-KEY", "WRONG1")
    window.shows("that is not how it ends")
    window.answer("from where you keep it", key[-6:].lower())
    window.answer("ssh host key of nest")
    window.shows("ended: 0", "a homelab of", "Next, in lab:")
    assert "cf-t0ken" not in window.screen(), "hidden"
    assert window.screen().count(key) == 1, "shown once"
    lab, person = window.person.home / "lab", window.person
    paper = window.folder / "paper"
    paper.write_text(f"{key}\n")
    assert (decrypt(lab / "secrets/nest/traefik.yaml", paper) or {})["cloudflare"]["dns-api-token"] == "cf-t0ken"
    assert all(decrypt(path, person.keys) == decrypt(path, paper) for path in secrets(lab))
    assert person.git(lab, "log", "--format=%an").splitlines() == ["Ada"]
    assert person.git(lab, "status", "--porcelain") == ""


@pytest.mark.parametrize("where", ["first", "hidden", "recovery"])
def test_ctrl_c_leaves_nothing(window: Window, where: str) -> None:
    if where == "first":
        window.begin("init", "lab")
        window.shows("Name of the host")
    else:
        begin(window)
        window.answer("Make one in", "y")
        if where == "recovery":
            window.answer("Recovery key")
            window.shows("The last 6 characters of AGE-SECRET-KEY")
    window.press("C-c")
    window.shows("interrupted", "nothing was made", "ended: 9")
    assert window.person.left() == [] and window.left == []


def test_no_operator_s_key_no_homelab(window: Window) -> None:
    begin(window)
    window.answer("Make one in", "n")
    window.shows("there is no operator's key", "ended: 2")
    assert window.person.left() == []


def test_secrets_new_asks_too(window: Window) -> None:
    """In a clone, as `make secrets` does it."""
    window.begin("secrets", "new", clone=True)
    clone = window.folder / "home/clone"
    hidden(window, {})
    window.answer("Make one in", "")
    paper, public = new_key(window.folder, "paper")
    window.answer("Recovery key", public)
    window.answer("ssh host key of homelab")
    window.shows("ended: 0", "look at them, then commit")
    assert all(decrypt(path, paper) is not None for path in secrets(clone))
