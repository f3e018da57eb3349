"""What the probe printed, read by somebody who trusts none of it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from cockpit.adapters.nixos.parse import facts_from
from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import Badge, Disk, HostFacts, Result, Verdict

NOW = 1_763_900_000.0
A, B, C = "a" * 40, "b" * 40, "c" * 40


def store(letter: str) -> str:
    return f"/nix/store/{letter * 32}-nixos-system-alpha-26.05"


def attempt(seq: int, **more: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:  # noqa: ANN401 - JSON
    """(intent, outcome) of a deploy that went well, unless told otherwise."""
    outcome = {"result": "done", "generation": seq, "ended": NOW - 1000 + seq * 10, "timings": [["activate", 3.1]]}
    intent = {
        "kind": "deploy",
        "who": "ada",
        "origin": "laptop",
        "started": NOW - 1005 + seq * 10,
        "commit": A,
        "subject": "Subject",
        "old": {"closure": store("0"), "generation": seq - 1, "commit": B},
        "new": {"closure": store("1"), "generation": None, "commit": A},
        "previous_health": {"healthy": True, "why": ""},
    }
    for key, value in more.items():
        (outcome if key in ("result", "generation", "ended", "hold", "phase", "reason", "timings") else intent)[key] = value
    return intent, None if more.get("result") == "open" else outcome


def attempts(*found: tuple[int, str, tuple[dict[str, Any], dict[str, Any] | None]]) -> dict[str, str]:
    lines = [
        f"{seq:06}-{run}/{file}:{json.dumps(data)}"
        for seq, run, (intent, outcome) in found
        for file, data in (("intent.json", intent), ("outcome.json", outcome))
        if data is not None
    ]
    return {"attempts": "\n".join(lines) + "\n"}


GOOD: dict[str, str] = {
    "probe": "1",
    "time": f"{NOW + 2}\n",
    "running": store("2") + "\n",
    "profile": store("2") + "\n",
    "profile_link": "system-3-link\n",
    "boot_default": store("2"),
    "booted": store("1"),
    "unit": "inactive\n",
    "load": "0.42",
    "uptime": "12345.6",
    "generations": f"system-1-link {NOW - 299.5} {store('0')}\n"
    f"system-2-link {NOW - 200} {store('1')}\nsystem-3-link {NOW - 100} {store('2')}\n",
    "versions": "/nix/var/nix/profiles/system-3-link 26.05 6.12.60\n/nix/var/nix/profiles/system-1-link 25.11 *\n"
    "/run/current-system 26.05 6.12.60\n/run/booted-system 26.05 6.12.58\n",
    "commits": f'/nix/var/nix/profiles/system-3-link/cockpit/manifest.json:"commit": "{A}"\n'
    f'/run/current-system/cockpit/manifest.json:"commit": "{A}"\n',
    "revisions": f'/nix/var/nix/profiles/system-2-link/sw/bin/nixos-version:"configurationRevision":"{B}"\n',
    "kernels": "/k1 /i1 /m1 \n/k1 /i1 /m1 \n",
    "failed": "nginx.service loaded failed failed Web\n\n",
    "disks": "Filesystem 1B-blocks Used Available Capacity Mounted on\n/dev/a 1000 250 750 25% /\n"
    "/dev/a 1000 250 750 25% /\n- x\n",
    "owned": '["core", "old"]',
}
HOLD = {"abandoned": [C], "by": "ada", "at": NOW, "why": "it was slow"}
MANIFEST = {
    "commit": A,
    "host": "alpha",
    "keep": 7,
    "projects": {
        "core": {
            "directory": "/srv/core",
            "secrets": {"db": {}},
            "services": {"web": {"oneshot": False}, "setup": {"oneshot": True}, "off": {"replicas": 0}, "broken": 7},
        }
    },
}


def read(*parts: dict[str, str], without: tuple[str, ...] = ()) -> HostFacts:
    fields = {k: v for part in (GOOD, *parts) for k, v in part.items() if k not in without}
    return facts_from("alpha", b"".join(f"{k}\0{v}\0".encode() for k, v in fields.items()), NOW)


def outcomes(facts: HostFacts) -> dict[int | None, tuple[Verdict, float | None, str]]:
    return {g.number: (g.outcome.verdict, g.outcome.seconds, g.outcome.why) for g in facts.generations}


def row(service: str, state: str, status: str, **labels: str) -> dict[str, Any]:
    return {
        "State": state,
        "Status": status,
        "Labels": {"com.docker.compose.project": "core", "com.docker.compose.service": service} | labels,
    }


def test_a_good_reading() -> None:
    facts = read()
    assert (facts.name, facts.read_at, facts.host_time, facts.load, facts.uptime) == ("alpha", NOW, NOW + 2, 0.42, 12345.6)
    assert (facts.running.commit, facts.running.nixos, facts.running.kernel) == (A, "26.05", "6.12.60")
    assert (facts.profile_generation, facts.booted, facts.boot_default) == (3, store("1"), store("2"))
    assert [g.number for g in facts.generations] == [3, 2, 1]
    three, two, one = facts.generations
    assert three.badges == {Badge.RUNNING, Badge.DEFAULT} and two.badges == {Badge.BOOTED} and one.badges == {Badge.DIRTY}
    assert (three.closure.has_cockpit, two.closure.commit, one.closure.kernel, one.closure.nixos) == (True, B, None, "25.11")
    assert (one.created, facts.reboot, facts.failed_units) == (NOW - 299.5, None, ("nginx.service",))
    assert facts.disks == (Disk("/", 250, 1000),) and facts.owned_projects == ("core", "old")
    assert (facts.attempts, facts.hold, facts.holder, facts.manifest, facts.stopped) == ((), None, None, None, ())


def test_only_what_is_missing_is_missing() -> None:
    for key in GOOD:
        if key != "probe":
            assert read(without=(key,)).name == "alpha"
    bare = facts_from("alpha", b"probe\x001\0", NOW)
    assert (bare.generations, bare.running.path, bare.host_time) == ((), "", NOW)


@pytest.mark.parametrize("printed", [b"", b"sh: not found\n", b"\xff\0\xfe", b"\x1b]52;c;x\x07boom"])
def test_no_probe_at_all_is_told(printed: bytes) -> None:
    with pytest.raises(CockpitError, match="alpha could not be read") as caught:
        facts_from("alpha", printed, NOW)
    assert "\x1b" not in caught.value.why and "\0" not in caught.value.why


def test_a_reading_that_was_cut_off_anywhere_still_reads() -> None:
    printed = b"".join(f"{k}\0{v}\0".encode() for k, v in (GOOD | attempts((3, "r", attempt(3)))).items())
    for end in range(len(b"probe\x001\0"), len(printed), 7):
        facts_from("alpha", printed[:end], NOW)


def test_several_generations_of_the_same_closure() -> None:
    same = f"system-2-link 1 {store('2')}\nsystem-3-link 2 {store('2')}\nsystem-4-link 3 {store('2')}\n"
    facts = read({"generations": same})
    assert [g.number for g in facts.generations if Badge.RUNNING in g.badges] == [3]
    assert [g.number for g in facts.generations if Badge.DEFAULT in g.badges] == [3]
    facts = read({"generations": same, "profile_link": "", "profile": store("9")})
    assert [g.number for g in facts.generations if Badge.RUNNING in g.badges] == [4]


def test_a_test_only_system_is_an_unnumbered_first_row() -> None:
    facts = read({"running": store("7")})
    first = facts.generations[0]
    assert first.number is None and first.created is None and first.badges == {Badge.RUNNING, Badge.TEST_ONLY}
    assert first.closure.path == store("7") and facts.running_generation is first
    assert [g.number for g in facts.generations if Badge.DEFAULT in g.badges] == [3]


def test_other_kernels_need_a_reboot() -> None:
    facts = read({"kernels": "/k1 /i1 /m1 \n/k2 /i1 /m1 \n"})
    assert facts.reboot == ("6.12.58", "6.12.60")
    assert Badge.NEEDS_REBOOT in facts.generations[0].badges
    assert read({"kernels": "\n/k2 /i1 /m1 \n"}).reboot is None


def test_verdicts() -> None:
    rollback = attempt(
        4,
        kind="rollback",
        generation=2,
        old={"generation": 3},
        hold={"abandoned": [A], "by": "ada", "at": NOW, "why": "it broke"},
    )
    facts = read(
        attempts(
            (2, "r2", attempt(2)), (3, "r3", attempt(3, origin="https://github.com/x/y/actions/runs/77")), (4, "r4", rollback)
        ),
        {"running": store("1"), "profile": store("1"), "profile_link": "system-2-link"},
        without=("failed",),
    )
    found = outcomes(facts)
    assert found[3] == (Verdict.ABANDONED, None, "it broke")
    assert found[2] == (Verdict.GOOD, NOW - (NOW - 960), "")
    assert found[1][0] is Verdict.BY_HAND
    assert {g.number: g.by for g in facts.generations} == {3: "CI 77", 2: "ada", 1: None}
    assert facts.hold is not None and (facts.hold.abandoned, facts.hold.why, facts.hold.generation) == ((A,), "it broke", 2)
    assert [g.number for g in facts.generations if Badge.HELD in g.badges] == [2]


def test_how_long_an_old_generation_ran_and_how_it_did() -> None:
    for healthy, verdict in ((True, Verdict.GOOD), (False, Verdict.UNHEALTHY)):
        facts = read(attempts((2, "r2", attempt(2)), (3, "r3", attempt(3, previous_health={"healthy": healthy}))))
        assert outcomes(facts)[2] == (verdict, 5.0, "")
    assert outcomes(read(attempts((2, "r2", attempt(2)))))[2][0] is Verdict.UNKNOWN


def test_the_running_one_is_judged_by_what_is_wrong_now() -> None:
    made = attempts((3, "r3", attempt(3)))
    assert outcomes(read(made, without=("failed",)))[3] == (Verdict.GOOD, 970.0, "")
    assert outcomes(read(made))[3] == (Verdict.UNHEALTHY, 970.0, "nginx.service")
    assert outcomes(read(without=("failed",)))[3] == (Verdict.BY_HAND, None, "")


def test_a_later_deploy_or_resume_ends_the_hold() -> None:
    hold = {"abandoned": [A], "by": "ada", "at": NOW, "why": "x"}
    rollback = (4, "r4", attempt(4, kind="rollback", generation=2, hold=hold))
    assert read(attempts(rollback)).hold is not None
    for kind in ("deploy", "resume"):
        assert read(attempts(rollback, (5, "r5", attempt(5, kind=kind)))).hold is None
    for result in ("reverted", "open"):
        assert read(attempts(rollback, (5, "r5", attempt(5, result=result)))).hold is not None


def test_an_open_attempt() -> None:
    opened = attempts((5, "r5", attempt(5, result="open")))
    (idle,) = read(opened).attempts
    assert (idle.result, idle.phase, idle.ended) == (Result.OPEN, "interrupted", None)
    holder = {"holder": json.dumps({"run": "r5", "who": "ada", "origin": "x", "since": NOW, "kind": "deploy"})}
    facts = read(opened, {"unit": "activating\n"}, holder)
    assert (facts.attempts[0].phase, facts.holder and facts.holder.run) == (None, "r5")
    assert read(opened, holder).holder is None  # not believed without the unit
    compose = {"holder": json.dumps({"run": "r6", "who": "ada", "origin": "x", "since": NOW, "kind": "compose"})}
    busy = read({"unit": "active"}, compose).holder
    assert busy is not None and (busy.run, busy.kind, busy.who) == ("", "compose", "ada")  # nothing to attach to
    foreign = read({"unit": "active"}).holder
    assert foreign is not None and (foreign.who, foreign.kind) == ("nixos-rebuild", "rebuild")


def test_decisions_and_abandoned() -> None:
    text = attempts((5, "r5", attempt(5, result="reverted", phase="verify", reason="web is ill")))["attempts"]
    listing = "lrwxrwxrwx 1 root root 8 Nov 23 07:00 000005-r5/decision -> reverted\n"
    (found,) = read({"attempts": text + "000005-r5/abandoned:by ada: too slow\n", "decisions": listing}).attempts
    assert (found.decision, found.abandoned, found.phase, found.reason) == (
        "reverted",
        "by ada: too slow",
        "verify",
        "web is ill",
    )


@pytest.mark.parametrize(
    "line",
    [
        '000005-r5/intent.json:{"kind": "dep',
        "000005-r5/intent.json:",
        "000005-r5/intent.json:[1]",
        "nonsense",
        ":",
        "/x:{}",
        'x-r5/intent.json:{"kind": "deploy"}',
        "000005-r5/intent.json:" + "[" * 100_000,
        '²-r5/intent.json:{"kind": "deploy"}',
    ],
)
def test_a_half_written_attempt_costs_only_itself(line: str) -> None:
    good = attempts((4, "r4", attempt(4)))["attempts"]
    assert [a.run for a in read({"attempts": line + "\n" + good}).attempts] == ["r4"]


@pytest.mark.parametrize(
    "outcome",
    [
        '{"result": "new-word"}',
        '{"result": ["done"]}',
        '{"result": {}}',
        '{"result": "done", "timings": 5}',
        '{"result": "done", "timings": [["a", "b"]]}',
        '{"result": "done", "hold": {"abandoned": 7}}',
        '{"result": "done", "hold": 7}',
        '{"result": "done", "generation": "x", "ended": "y"}',
        '{"result": "done", "ended": 1e400}',
        '{"result": "done", "ended": 1' + "0" * 400 + "}",
        '{"result": "done", "timings": [["a", null]], "hold": []}',
    ],
)
def test_an_outcome_of_wrong_types_costs_only_itself(outcome: str) -> None:
    intent = json.dumps(attempt(5)[0])
    (found,) = read({"attempts": f"000005-r5/intent.json:{intent}\n000005-r5/outcome.json:{outcome}\n"}).attempts
    assert found.result in (Result.DONE, Result.REVERTED)


@pytest.mark.parametrize(
    "intent",
    ['{"kind": [1], "who": {}}', '{"kind": {}, "old": 7, "new": "x"}', '{"started": "x", "previous_health": 3, "commit": 7}'],
)
def test_an_intent_of_wrong_types(intent: str) -> None:
    (found,) = read({"attempts": f"000005-r5/intent.json:{intent}\n"}).attempts
    assert found.old_generation is None and found.commit is None


@pytest.mark.parametrize(
    "manifest",
    [
        '{"projects": 7}',
        '{"projects": {"a": {"secrets": 5}}}',
        '{"projects": {"a": {"services": [1]}}, "keep": "x", "commit": 7}',
        "{",
        "[]",
    ],
)
def test_a_manifest_of_wrong_types(manifest: str) -> None:
    assert read({"manifest": manifest, "containers": "[]"}).name == "alpha"


def test_nothing_hostile_comes_through() -> None:
    evil = "\x1b]52;c;eA==\x07\u202e[red]x\x1b[31m\x07"
    hold = {"abandoned": [evil], "by": evil, "at": NOW, "why": evil}
    parts: dict[str, str] = {key: value + evil for key, value in GOOD.items() if key != "probe"}
    bad = attempt(
        4,
        kind="rollback",
        who=evil,
        origin=evil,
        subject=evil,
        commit=evil,
        reason=evil,
        phase=evil,
        hold=hold,
        timings=[[evil, 1]],
    )
    parts |= attempts((4, "r4" + evil, bad))
    parts |= {
        "manifest": json.dumps(
            {"commit": evil, "host": evil, "projects": {evil: {"directory": evil, "services": {evil: {}}, "secrets": {evil: {}}}}}
        )
    }
    parts |= {"unit": "active", "holder": json.dumps({"run": evil, "who": evil}), "owned": json.dumps([evil]), "containers": "[]"}
    parts |= {
        "failed": evil + " x",
        "versions": f"/run/current-system {evil} {evil}\n/run/booted-system a {evil}",
        "kernels": "1 1 1\n2 2 2\n",
    }
    shown = str(read(parts)).replace("\\\\", "")
    assert "[red]x" in shown
    for found in ("\\x1b", "\\x07", "\\u202e", "\x1b", "\u202e"):
        assert found not in shown


def test_what_the_containers_do() -> None:
    rows = [
        row("web", "running", "Up 2 hours"),
        row("setup", "exited", "Exited (0) 2 hours ago"),
        row("web", "exited", "Exited (1)", **{"com.docker.compose.oneoff": "True"}),
        row("stranger", "exited", "Exited (1)"),
    ]
    part = {"manifest": json.dumps(MANIFEST)}

    def stopped(found: object) -> tuple[str, ...]:
        return read(part, {"containers": json.dumps(found)}).stopped

    assert stopped(rows) == ()
    assert read(part).stopped == ()  # the engine was not asked
    assert stopped([]) == ("core/web", "core/setup")
    assert stopped([rows[1]]) == ("core/web",)
    assert stopped([row("web", "running", "Up 2 hours (unhealthy)"), rows[1]]) == ("core/web",)
    assert stopped([row("web", "restarting", "Restarting (1)"), rows[1]]) == ("core/web",)
    assert stopped([rows[0], row("setup", "exited", "Exited (1) 1 minute ago")]) == ("core/setup",)
    assert stopped([rows[0], rows[1], row("web", "exited", "Exited (0)")]) == ("core/web",)
    assert stopped([7, None, {"Labels": 3}, *rows]) == ()
    manifest = read(part).manifest
    assert manifest is not None and (manifest.commit, manifest.keep, manifest.projects[0].secrets) == (A, 7, ("db",))


def test_docker_ps_lines_say_the_same() -> None:
    lines = [
        json.dumps(r | {"Labels": ",".join(f"{k}={v}" for k, v in r["Labels"].items())})
        for r in (row("web", "running", "Up"), row("setup", "exited", "Exited (3)"))
    ]
    assert read({"manifest": json.dumps(MANIFEST), "containers": "\n".join(lines) + "\nnoise\n"}).stopped == ("core/setup",)


def test_numbers_that_no_computer_has_cost_only_their_line() -> None:
    long = "9" * 5000
    disks = f"Filesystem 1B-blocks Used Available Capacity Mounted on\n/dev/b {long} 1 1 1% /b\n/dev/a 1000 250 750 25% /\n"
    facts = read(
        {
            "disks": disks,
            "generations": f"system-{long}-link 1 {store('0')}\nsystem-1-link {long} {store('1')}\n",
            "uptime": long,
        },
        {"profile_link": f"system-{long}-link", "attempts": f'{long}-run/intent.json:{{"who": "ada"}}\n'},
    )
    assert facts.disks == (Disk("/", 250, 1000),) and [g.number for g in facts.generations if g.number] == [1]
    assert (facts.attempts, facts.uptime, facts.profile_generation) == ((), None, None)


@pytest.mark.parametrize("seed", range(60))
def test_noise_anywhere_never_ends_in_a_crash(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secret
    history = attempts((1, "a", attempt(1)), (2, "b", attempt(2, kind="rollback", hold=HOLD)))
    fields = GOOD | history | {"manifest": json.dumps(MANIFEST), "containers": json.dumps([row("web", "running", "Up")])}
    printed = bytearray(b"".join(f"{k}\0{v}\0".encode() for k, v in fields.items()))
    pieces = [b"\0", b"\n", b"9" * 5000, b"[" * 3000, b"1e999", b"NaN", b"null", b"\xff", b"\x1b]0;x\x07", b'"', b"{}", b"-", b""]
    for _ in range(rng.randrange(1, 40)):
        at = rng.randrange(8, len(printed))
        printed[at : at + rng.randrange(30)] = rng.choice(pieces)
    facts = facts_from("alpha", bytes(printed), NOW)
    assert "\x1b" not in repr(facts) and facts.name == "alpha"
