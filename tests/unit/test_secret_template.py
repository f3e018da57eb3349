"""secrets/template.yaml: every mistake is told with its place."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.domain.errors import UsageError
from cockpit.domain.secret_template import Ask, DozzleUsers, Htpasswd, Later, Random, Ref, Same, SshHostKey, parse

WHOLE: dict[str, Any] = {
    "version": 1,
    "files": {
        "alpha/web.yaml": {
            "a.token": {"ask": "web-token", "what": "a token"},
            "a.users": {"htpasswd": "admin", "password": "operator/own.yaml web"},
            "copy": {"same": "operator/own.yaml web"},
            "late": {"later": "once it runs"},
        },
        "beta/logs.yaml": {"users": {"dozzle-users": "ada"}, "opt": {"ask": "opt", "default": "# none"}},
        "operator/own.yaml": {"web": {"random": 12, "tell": True}, "alpha": {"ssh-host-key": "made"}},
    },
}


def test_every_maker() -> None:
    template = parse(WHOLE)
    assert template.files["alpha/web.yaml"] == {
        "a.token": Ask("web-token", "a token"),
        "a.users": Htpasswd("admin", Ref("operator/own.yaml", "web")),
        "copy": Same(Ref("operator/own.yaml", "web")),
        "late": Later("once it runs"),
    }
    assert template.files["beta/logs.yaml"] == {"users": DozzleUsers("ada"), "opt": Ask("opt", "", "# none")}
    assert template.files["operator/own.yaml"] == {"web": Random(12, True), "alpha": SshHostKey()}
    assert template.hosts() == ("alpha", "beta")
    assert list(template.asks()) == ["web-token", "opt"]
    assert str(Ref("a/b.yaml", "c")) == "a/b.yaml c"


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (None, "needs version: 1"),
        ({"version": 2, "files": {"a/b.yaml": {"c": {"random": 8}}}}, "needs version: 1"),
        ({"version": 1, "files": {}}, "needs version: 1"),
        ({"b.yaml": {"c": {"random": 8}}}, "b.yaml: is no HOST/NAME.yaml"),
        ({"../b.yaml": {"c": {"random": 8}}}, "../b.yaml: is no HOST/NAME.yaml"),
        ({"a/b.json": {"c": {"random": 8}}}, "a/b.json: is no HOST/NAME.yaml"),
        ({"a/b.yaml": {}}, "a/b.yaml: names no key"),
        ({"a/b.yaml": {"c d": {"random": 8}}}, "a/b.yaml c d: is no key"),
        ({"a/b.yaml": {"c": {"random": 8}, "c.d": {"random": 8}}}, "a/b.yaml c.d: is a value and holds others"),
        ({"a/b.yaml": {"c": "plain"}}, "a/b.yaml c: is no mapping"),
        ({"a/b.yaml": {"c": {}}}, "needs exactly one of random"),
        ({"a/b.yaml": {"c": {"random": 8, "later": "x"}}}, "needs exactly one of random"),
        ({"a/b.yaml": {"c": {"random": 8, "waht": "x"}}}, "does not know waht beside random"),
        ({"a/b.yaml": {"c": {"random": "8"}}}, "random: is a number of bytes"),
        ({"a/b.yaml": {"c": {"random": 4}}}, "random: is a number of bytes"),
        ({"a/b.yaml": {"c": {"random": True}}}, "random: is a number of bytes"),
        ({"a/b.yaml": {"c": {"later": ""}}}, "later: is no text"),
        ({"a/b.yaml": {"c": {"htpasswd": "a:b"}}}, "htpasswd: is no user name"),
        ({"a/b.yaml": {"c": {"ask": "A Name"}}}, "ask: is no name"),
        ({"a/b.yaml": {"c": {"same": "a/b.yaml"}}}, "a reference is written FILE KEY"),
        ({"a/b.yaml": {"c": {"same": "a/b.yaml d"}}}, "points to a/b.yaml d, which the template does not have"),
        ({"a/b.yaml": {"c": {"htpasswd": "x", "password": "a/b.yaml d"}}}, "points to a/b.yaml d"),
    ],
)
def test_a_mistake_has_its_place(tree: Any, told: str) -> None:  # noqa: ANN401
    whole = tree if tree is None or "version" in tree else {"version": 1, "files": tree}
    with pytest.raises(UsageError) as caught:
        parse(whole)
    assert told in caught.value.why
