"""What `--output json` prints: every kind of document with its fields, from the types that it is made of."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import Any, cast

from msgspec import Struct, structs

from cockpit.actions.looks import Drift
from cockpit.domain import events
from cockpit.domain.guests import Guest
from cockpit.domain.hosts import Generation, HostFacts
from cockpit.domain.images import LockRow
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Plan
from cockpit.domain.releases import Release
from cockpit.domain.services import LogGap, LogLine, Service
from cockpit.domain.updates import InputChange, SystemChange

Field = tuple[str, str]
"""(name, type)."""
_ERROR = (("exit", "integer"), ("what", "string"))
_RUN = "deploy, plan, rollback, resume, attach, bootstrap, do"
EVENTS = tuple(
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
)

_SECRETS: tuple[Field, ...] = (
    ("key_file", "string or null"),
    ("recipients", "object with `operators`, `recovery`, `hosts`"),
    ("tried", "list of string"),
    ("untried", "list of string"),
    ("open", "list of object with `file`, `key`, `name`, `what`"),
    ("passwords", "list of object with `file`, `key`, `user`, `password`; empty without --show-passwords"),
    ("recovery_key", "string or null"),
)

DOCUMENTS: dict[str, tuple[str, type | None, tuple[Field, ...]]] = {
    "Status": ("status", None, (("host", "string"), ("against_main", "string"), ("problems", "list of string"),
                                ("error", "object with `exit` and `what`, or null"), ("facts", "HostFacts or null"))),
    "Service": ("services", Service, ()),
    "Guest": ("guests", Guest, ()),
    "Generation": ("generations", Generation, (("host", "string"),)),
    "Release": ("releases", Release, (("outcome", "string"), ("hosts", "list of string"))),
    "Drift": ("drift", Drift, ()),
    "Finding": ("doctor", None, (("check", "string"), ("group", "string"), ("title", "string"),
                                 ("level", "`ok` or `skipped` or `note` or `warn` or `fail`"), ("host", "string"),
                                 ("file", "string"), ("line", "integer"), ("what", "string"), ("why", "string"),
                                 ("fix", "string"))),
    "Examination": ("doctor, at its end", None, (("offline", "boolean"), ("exit", "integer"), ("ok", "integer"),
                                                 ("skipped", "integer"), ("note", "integer"), ("warn", "integer"),
                                                 ("fail", "integer"))),
    "Image": ("lock, update", LockRow, (("moved", "boolean"),)),
    "Input": ("update", InputChange, ()),
    "SystemUpdate": ("update", SystemChange, ()),
    "LogLine": ("logs", LogLine, ()),
    "LogGap": ("logs", LogGap, ()),
    "Adoption": ("adopt", None, (("host", "string"), ("written", "boolean"), ("nothing_to_do", "boolean"),
                                 ("files", "list of object with `path`, `new` and `diff`"), ("vendored", "list of string"),
                                 ("by_hand", "list of string"), ("warnings", "list of string"), ("notes", "list of string"),
                                 ("next", "list of string"))),
    "Error": ("every one", None, (*_ERROR, ("why", "string"), ("hint", "string"))),
    "Plan": (_RUN.removesuffix(", do"), Plan, (("nothing_to_do", "boolean"), ("tier", "string"))),
    "Operation": ("do", Operation, (("tier", "string"),)),
    **{kind.__name__: (_RUN, kind, ()) for kind in EVENTS},
    "Created": ("init", None, (
        ("directory", "string"), ("host", "string"), ("commit", "string"), ("files", "list of string"), *_SECRETS,
        ("next", "list of object with `what` and `commands`"))),
    "Renewed": ("secrets new", None, (("files", "list of string"), ("removed", "list of string"), *_SECRETS)),
    "Outcome": (_RUN, events.Outcome, (("result", "string"), ("dropped", "integer"))),
}  # fmt: skip
"""`event` -> (commands, the type, what it has besides)."""
PARTS: tuple[type, ...] = (HostFacts,)


def fields(document: str) -> list[Field]:
    """Of one kind of document, without `event`."""
    _, kind, more = DOCUMENTS[document]
    known = dict(_fields(kind)) if kind is not None else {}
    return list((known | dict(more)).items())


def _fields(kind: type) -> Iterator[Field]:
    hints = typing.get_type_hints(kind)
    for field in structs.fields(cast(type[Struct], kind)):
        yield field.name, _type(hints[field.name])


def _type(hint: Any) -> str:  # noqa: ANN401 - any annotation
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _type(a) for a in arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"list of {_type(arguments[0])}"
        return f"[{', '.join(map(_type, arguments))}]"
    if origin is frozenset:
        return f"list of {_type(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return "integer"
    if isinstance(hint, type) and issubclass(hint, Enum):
        values = [item.name.lower() if isinstance(item.value, int) else item.value for item in hint]
        return " or ".join(f"`{value}`" for value in values)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return {str: "string", int: "integer", float: "number", bool: "boolean"}[hint]


def _parts() -> list[type]:
    """The types that documents hold, and those that these hold, by name."""
    found: dict[str, type] = {}
    todo: list[Any] = [*PARTS, *(kind for _, kind, _ in DOCUMENTS.values() if kind is not None)]
    seen: set[Any] = set()
    while todo:
        hint = todo.pop()
        if hint in seen:
            continue
        seen.add(hint)
        todo += typing.get_args(hint)
        if isinstance(hint, type) and issubclass(hint, Struct):
            todo += typing.get_type_hints(hint).values()
            if hint.__name__ not in DOCUMENTS:
                found[hint.__name__] = hint
    return [found[name] for name in sorted(found)]


def page(made: str) -> Iterator[str]:
    from scripts.generate import table

    yield "# JSON\n"
    yield made + "\n"
    yield "`--output json` prints one document a line. `event` says what kind it is; more fields may come."
    yield "Times are seconds since the epoch, sizes bytes, shares 0 to 1.\n"
    yield "A system that does not answer is a document `Error` (in `status` the field `error`) beside the others, and the"
    yield "command ends with the [exit code](cli.md#exit-codes) of the worst.\n"
    for name in DOCUMENTS:
        yield f"## {name}\n"
        yield f"Of {DOCUMENTS[name][0]}.\n"
        yield from table(("field", "type"), [(f"`{field}`", _linked(kind)) for field, kind in fields(name)])
        yield ""
    yield "## Parts\n"
    for part in _parts():
        yield f"### {part.__name__}\n"
        yield from table(("field", "type"), [(f"`{field}`", kind) for field, kind in _fields(part)])
        yield ""


def _linked(kind: str) -> str:
    return kind.replace("HostFacts or", "[HostFacts](#hostfacts) or")
