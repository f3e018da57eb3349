"""Who reads what: the rules that sops gets, and the sets of readers that are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from cockpit.actions.sealing.readers import Readers, check, rules
from cockpit.domain.errors import CockpitError, Refused, UsageError
from cockpit.domain.keys import EXAMPLE

ALPHA, BETA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIalpha", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIbeta"
READERS = Readers(("age1you", "age1her"), "age1paper", {"alpha": ALPHA, "beta-2.x": BETA})


def loaded() -> list[Mapping[str, Any]]:
    return list(YAML(typ="safe", pure=True).load(rules(READERS))["creation_rules"])


def readers(path: str) -> list[str]:
    """Those of the first rule that matches, as sops takes it."""
    rule = next(rule for rule in loaded() if re.search(rule["path_regex"], path))
    return [key for group in rule["key_groups"] for key in group["age"]]


def test_a_host_reads_its_own_alone() -> None:
    people = ["age1you", "age1her", "age1paper"]
    assert readers("secrets/alpha/web.yaml") == [*people, ALPHA]
    assert readers("secrets/beta-2.x/web.yaml") == [*people, BETA]
    assert readers("secrets/operator/tofu.yaml") == people


@pytest.mark.parametrize(
    "path",
    ["secrets/alpha/deep/web.yaml", "secrets/alphabet/web.yaml", "xsecrets/alpha/web.yaml", "secrets/beta-2yx/a.yaml",
     "secrets/template.yaml", "secrets/alpha/web.yaml.bak", "secrets/example.agekey"],
)  # fmt: skip
def test_what_no_rule_names(path: str) -> None:
    assert [rule for rule in loaded() if re.search(rule["path_regex"], path)] == []


def test_one_key_in_a_group_of_its_own_would_be_a_threshold() -> None:
    assert [len(rule["key_groups"]) for rule in loaded()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("found", "error", "told"),
    [
        (Readers((), "age1paper", {"alpha": ALPHA}), Refused, "no operator's key"),
        (Readers(("age1you",), "", {"alpha": ALPHA}), Refused, "no recovery key"),
        (Readers(("age1you",), "age1you", {"alpha": ALPHA}), Refused, "recovery key is an operator's"),
        (Readers((EXAMPLE,), "age1paper", {"alpha": ALPHA}), Refused, "examples' key"),
        (Readers(("age1you",), EXAMPLE, {"alpha": ALPHA}), Refused, "examples' key"),
        (Readers(("age1you",), "age1paper", {}), UsageError, "the host alpha has no key"),
        (Readers(("age1you",), "age1paper", {"alpha": ALPHA, "beta": BETA}), UsageError, "no host 'beta'"),
        (Readers(("age1you",), "age1paper", {"alpha": "age1you"}), Refused, "same key"),
    ],
)
def test_readers_that_are_refused(found: Readers, error: type[CockpitError], told: str) -> None:
    with pytest.raises(error, match=told):
        check(found, ["alpha"])


def test_two_hosts_have_two_keys() -> None:
    with pytest.raises(Refused, match="same key"):
        check(Readers(("age1you",), "age1paper", {"alpha": ALPHA, "beta": ALPHA}), ["alpha", "beta"])
    check(READERS, ["alpha", "beta-2.x"])
