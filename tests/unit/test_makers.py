"""Values of secrets: what each maker makes, what is told, what stays open."""

from __future__ import annotations

import json
import re
from typing import Any

import bcrypt
import pytest
from ruamel.yaml import YAML

from cockpit.actions.sealing.makers import Told, Values, document, make
from cockpit.domain.errors import UsageError
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import parse

PRIVATE = Secret(b"-----BEGIN\nabc\n-----END\n")


def values(keys: dict[str, Any], given: dict[str, str] | None = None, **host_keys: Secret) -> Values:
    template = parse({"version": 1, "files": {"alpha/a.yaml": keys}})
    return make(template, {name: Secret(value.encode()) for name, value in (given or {}).items()}, host_keys)


def value(made: Values, key: str = "k") -> str:
    return made.files["alpha/a.yaml"][key].reveal().decode()


def test_random_is_hex_and_new_each_time() -> None:
    made = [value(values({"k": {"random": 24}})) for _ in range(3)]
    assert all(re.fullmatch(r"[0-9a-f]{48}", text) for text in made)
    assert len(set(made)) == 3
    assert values({"k": {"random": 24}}).told == ()


def test_what_a_person_types_is_told() -> None:
    made = values({"k": {"random": 24, "tell": True}})
    assert [(str(told.place), told.user, told.value.reveal().decode()) for told in made.told] == [
        ("alpha/a.yaml k", "", value(made))
    ]


def matches(password: bytes, hashed: str) -> bool:
    return bcrypt.checkpw(password, hashed.replace("$2y$", "$2b$", 1).encode())


def test_htpasswd() -> None:
    made = values({"k": {"htpasswd": "admin"}})
    user, _, hashed = value(made).partition(":")
    (told,) = made.told
    assert (user, told.user) == ("admin", "admin")
    assert re.fullmatch(r"\$2y\$10\$[./A-Za-z0-9]{53}", hashed)
    assert matches(told.value.reveal(), hashed)
    assert not matches(b"another", hashed)


def test_dozzle_users() -> None:
    made = values({"k": {"dozzle-users": "ada"}})
    found = YAML(typ="safe", pure=True).load(value(made))["users"]["ada"]
    assert found["name"] == "ada"
    assert matches(made.told[0].value.reveal(), found["password"])


def test_a_password_that_is_kept_elsewhere_is_told_once() -> None:
    made = values(
        {
            "web": {"htpasswd": "admin", "password": "alpha/a.yaml own"},
            "own": {"random": 12, "tell": True},
            "copy": {"same": "alpha/a.yaml own"},
        }
    )
    assert [str(told.place) for told in made.told] == ["alpha/a.yaml own"]
    assert value(made, "copy") == value(made, "own")
    assert matches(value(made, "own").encode(), value(made, "web").partition(":")[2])


def test_given_later_and_by_default() -> None:
    keys = {
        "given": {"ask": "a-token", "what": "the token"},
        "asked": {"ask": "b-token", "what": "another"},
        "late": {"later": "once it runs"},
        "optional": {"ask": "lines", "default": "# none"},
        "commented": {"ask": "url", "what": "an address", "default": "# fill-in: an address"},
    }
    made = values(keys, {"a-token": "t0ken"})
    assert [value(made, key) for key in keys] == [
        "t0ken", "fill-in:b-token", "fill-in:once it runs", "# none", "# fill-in: an address",
    ]  # fmt: skip
    assert [(item.place.key, item.name, item.what) for item in made.open] == [
        ("asked", "b-token", "another"),
        ("late", "", "once it runs"),
        ("commented", "url", "an address"),
    ]


def test_a_host_key_is_there_where_it_was_made() -> None:
    keys = {"alpha": {"ssh-host-key": "made"}, "other": {"random": 8}}
    assert value(values(keys, alpha=PRIVATE), "alpha").encode() == PRIVATE.reveal()
    assert list(values(keys).files["alpha/a.yaml"]) == ["other"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tokn": "x"}, "there is no secret 'tokn' to set"),
        ({"token": ""}, "the secret 'token' is empty"),
        ({"token": " \n"}, "the secret 'token' is empty"),
        ({"token": "a\0b"}, "control characters"),
        ({"token": "a\x1b[31m"}, "control characters"),
    ],
)
def test_what_cannot_be_a_value(given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        values({"k": {"ask": "token"}}, given)


def test_not_text() -> None:
    template = parse({"version": 1, "files": {"alpha/a.yaml": {"k": {"ask": "token"}}}})
    with pytest.raises(UsageError, match="not UTF-8"):
        make(template, {"token": Secret(b"\xff\xfe")}, {})


def test_a_circle() -> None:
    keys = {"a": {"same": "alpha/a.yaml b"}, "b": {"same": "alpha/a.yaml a"}}
    with pytest.raises(UsageError, match="made of itself"):
        values(keys)


def test_a_document_has_levels_and_only_text() -> None:
    plain = {"a.b": "0755", "a.c": "yes", "d": "two\nlines", "e": "2024-01-02", "f": "é\u2028"}
    made = document({key: Secret(text.encode()) for key, text in plain.items()}).reveal().decode()
    assert json.loads(made) == {"a": {"b": "0755", "c": "yes"}, "d": "two\nlines", "e": "2024-01-02", "f": "é\u2028"}


def test_nothing_shows_a_value() -> None:
    made = values({"k": {"htpasswd": "admin"}})
    password = made.told[0].value.reveal().decode()
    assert password not in repr(made)
    assert isinstance(made.told[0], Told)
