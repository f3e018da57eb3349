"""tofu/tailnet/policy.hujson: it can be read, and its grants do what its own tests say, as far as we can judge that ourselves."""

from __future__ import annotations

import itertools
import json

import pytest

from scripts.paths import TOP
from tests.standin.tailnet import Policy, hujson

TEXT = (TOP / "tofu" / "tailnet" / "policy.hujson").read_text()


def test_operators_reach_ssh_and_https_and_a_deploy_reaches_ssh() -> None:
    policy = Policy(TEXT)
    reached = {
        (source, target, port)
        for source, target, port in itertools.product(
            ("you@example.org", "tag:ci", "tag:homelab", "stranger@example.org"), ("tag:homelab", "tag:ci"), range(1, 65536)
        )
        if policy.allows(source, target, port)
    }
    assert reached == {
        ("you@example.org", "tag:homelab", 22),
        ("you@example.org", "tag:homelab", 80),
        ("you@example.org", "tag:homelab", 443),
        ("tag:ci", "tag:homelab", 22),
    }
    assert policy.ssh == [], "Tailscale's own SSH goes round the keys of a host's configuration"


def test_the_policys_own_tests_hold_and_are_about_everybody() -> None:
    policy = Policy(TEXT)
    assert policy.failures() == []
    assert {test["src"] for test in policy.tests} == {"you@example.org", "tag:ci", "tag:homelab"}
    assert all(test["deny"] for test in policy.tests)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"ip": ["tcp:22"]', '"ip": ["tcp:22", "tcp:443"]', "tag:ci -> tag:homelab:443: not deny"),
        ('"tcp:22", "tcp:80", "tcp:443"', '"tcp:22"', "you@example.org -> tag:homelab:443: not accept"),
        (
            '{"src": ["tag:ci"], "dst": ["tag:homelab"]',
            '{"src": ["tag:ci"], "dst": ["tag:ci"]',
            "tag:ci -> tag:homelab:22: not accept",
        ),
    ],
)
def test_a_grant_that_breaks_them_is_found(before: str, after: str, told: str) -> None:
    assert TEXT.count(before) == 1
    assert told in Policy(TEXT.replace(before, after)).failures()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"dst": ["tag:homelab"], "ip": ["tcp:22"]', '"dst": ["tag:homelap"], "ip": ["tcp:22"]'),
        ('"ip": ["tcp:22"]', '"ip": ["*"]'),
        ('"ssh": []', '"shh": []'),
        ('"src": ["tag:ci"]', '"source": ["tag:ci"]'),
    ],
)
def test_what_is_not_known_is_refused(before: str, after: str) -> None:
    assert TEXT.count(before) == 1
    with pytest.raises(ValueError, match=r"known here|no group|ports are|a grant has"):
        Policy(TEXT.replace(before, after))


def test_human_json() -> None:
    text = '{ // a, b\n "a": [1, 2, /* , */ ], "b": "http://x, /* no */ ,]", "c": {"d": "\\"//\\"",},\n}'
    assert hujson(text) == {"a": [1, 2], "b": "http://x, /* no */ ,]", "c": {"d": '"//"'}}
    assert hujson(json.dumps({"a": ",}"})) == {"a": ",}"}
    for wrong in ("{,}", "[1,,]", '{"a": 1 "b": 2}', '{"a": 1, "a": 2}'):
        with pytest.raises(ValueError):
            hujson(wrong)
