"""The past that the repository's history gives a simulated host: generations, attempts, a rollback, a commit that failed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cockpit.simulator.host import Generation, Host
from cockpit.simulator.release import Release, by_hand, files_of, read
from cockpit.simulator.repository import Made, git
from cockpit.simulator.transaction import outcome

FIRST = {"homelab": 128, "nas": 37}
_TIMINGS = (
    ("activate", 3.4),
    ("reach", 0.3),
    ("converge", 21.0),
    ("verify", 15.1),
    ("confirm", 0.2),
    ("profile", 0.6),
    ("boot", 1.9),
)


def live_through(host: Host, made: Sequence[Made]) -> None:
    """Replays every deploy that the story tells of this host; blocking, before the host answers anybody."""
    repo = host.folder.parent.parent / "repo"
    host.folder.mkdir(parents=True)
    git(host.folder, "init", "-q", "--bare", str(host.repository))
    told = [(m, m.step.homelab if host.name == "homelab" else m.step.nas) for m in made]
    steps = [(m, how) for m, how in told if how]
    git(repo, "push", "-q", str(host.repository), *(f"{m.sha}:refs/cockpit/{m.sha}" for m, _ in steps))
    hand = by_hand(host.name, int(steps[0][0].time // 86400) - 20)
    host.releases[hand.closure] = hand
    host.generations.append(Generation(FIRST.get(host.name, 1), hand.closure, steps[0][0].time - 12 * 86400))
    host.running = host.profile = host.boot_default = host.booted = hand.closure
    for commit, how in steps:
        release = read(files_of(host.repository, commit.sha), host.name, commit.sha)
        host.releases[release.closure] = release
        _deploy(host, commit, release, how)
    newest = host.generations[-1]
    host.booted_at = newest.created - 5 * 86400
    host.booted = next((g.closure for g in reversed(host.generations) if g.created < host.booted_at), host.running)
    host.containers.settle(host.release, newest.created)
    for container in host.containers.all:
        container.say(container.started, ())
    for unit, text in (
        ("sshd.service", "Server listening on 0.0.0.0 port 22 (simulated)."),
        ("docker.service", "API listen on /run/docker.sock"),
    ):
        host.journal.append((host.booted_at + 9, unit, text))
    host.journal.append(
        (
            newest.created - 3000,
            "sshd.service",
            "Connection closed by authenticating user root 203.0.113.9 port 52114: access denied",
        )
    )


def _deploy(host: Host, commit: Made, release: Release, how: str) -> None:
    started = commit.time + 240
    origin = (
        "https://github.com/ada/homelab/actions/runs/" + str(int(commit.time) % 10**8 + 10**9)
        if commit.step.author[0].startswith("Ben")
        else "laptop"
    )
    who = "ada" if commit.step.author[0].startswith("Ada") else "ben"
    request = _request(host, "deploy", commit, release, who, origin)
    attempt = host.open(request, release, None, started)
    attempt.intent["previous_health"] = {"healthy": True, "why": ""}
    ended = started + sum(seconds for _, seconds in _TIMINGS)
    timings = [[name, seconds] for name, seconds in _TIMINGS]
    if how == "reverted":
        attempt.decision = "reverted"
        attempt.outcome = outcome(
            attempt, "reverted", 5, "converge", commit.step.why, host.generation, host.running, timings[:3], ended
        )
        return
    before = host.generations[-1]
    attempt.decision = "confirmed"
    number = before.number + 1
    host.generations.append(Generation(number, release.closure, ended))
    host.running = host.profile = host.boot_default = release.closure
    attempt.outcome = outcome(attempt, "done", 0, None, "", number, release.closure, timings, ended)
    if how == "back":
        _back(host, commit, before, who, ended + 900)


def _back(host: Host, commit: Made, to: Generation, who: str, at: float) -> None:
    old = host.releases[to.closure]
    request = _request(host, "rollback", commit, old, who, "laptop") | {
        "generation": to.number, "commit": old.commit, "subject": "", "hold": {"abandoned": [commit.sha], "why": commit.step.why}
    }  # fmt: skip
    attempt = host.open(request, old, to.number, at)
    attempt.decision = "confirmed"
    attempt.intent["previous_health"] = {"healthy": True, "why": ""}
    host.running = host.profile = host.boot_default = old.closure
    timings = [[name, seconds] for name, seconds in _TIMINGS]
    attempt.outcome = outcome(attempt, "done", 0, None, "", to.number, old.closure, timings, at + 40)


def _request(host: Host, kind: str, commit: Made, release: Release, who: str, origin: str) -> dict[str, object]:
    run = hashlib.sha256(f"{host.name} {kind} {commit.sha}".encode()).hexdigest()[:8]
    return {
        "schema": 1, "run": run, "kind": kind, "closure": release.closure, "generation": None, "base": "", "commit": commit.sha,
        "subject": commit.step.subject, "who": who, "origin": origin, "timing": {"wait": 120, "stable": 15, "revert_after": 300},
        "hold": None, "lifts": False, "take": {"host": [], "git": []},
    }  # fmt: skip
