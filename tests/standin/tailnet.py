"""A tailnet policy, read and judged as far as ours goes: groups, tags, people, grants of TCP ports. What it does not know fails.

Tailscale itself is the judge when a policy is applied; this one lets a test say beforehand whether the policy's own `tests` hold.
"""

from __future__ import annotations

import json
import re
from typing import Any

SECTIONS = {"groups", "tagOwners", "grants", "ssh", "tests"}
_STRING = r'("(?:\\.|[^"\\])*")'
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING = re.compile(_STRING + r"|(?<=[\]}\"\w])\s*,(?=\s*[}\]])")
_PERSON = re.compile(r"[^@\s:]+@[^@\s:]+")
_PORT = re.compile(r"tcp:(\d+)")


def hujson(text: str) -> Any:  # noqa: ANN401 - JSON
    """JSON with comments and with a comma after the last element. ValueError for anything else, and for a key given twice."""
    plain = _COMMENT.sub(lambda found: found[1] or " ", text)
    return json.loads(_TRAILING.sub(lambda found: found[1] or "", plain), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError(f"a key is there twice: {[key for key, _ in pairs]}")
    return dict(pairs)


class Policy:
    """ValueError for sections, selectors and ports that it does not know."""

    def __init__(self, text: str) -> None:
        policy = hujson(text)
        if unknown := set(policy) - SECTIONS:
            raise ValueError(f"sections that are not known here: {', '.join(sorted(unknown))}")
        self.groups: dict[str, list[str]] = policy.get("groups", {})
        self.tags: dict[str, list[str]] = policy.get("tagOwners", {})
        self.ssh: list[Any] = policy.get("ssh", [])
        self.tests: list[dict[str, Any]] = policy.get("tests", [])
        self.grants = [self._grant(grant) for grant in policy.get("grants", [])]
        for owners in (*self.tags.values(), *self.groups.values()):
            for owner in owners:
                self._known(owner)

    def _known(self, selector: str) -> str:
        if selector in self.groups or selector in self.tags or _PERSON.fullmatch(selector):
            return selector
        raise ValueError(f"{selector!r} is no group, no tag and no person of this policy")

    def _grant(self, grant: dict[str, Any]) -> tuple[set[str], set[str], set[int]]:
        if set(grant) != {"src", "dst", "ip"}:
            raise ValueError(f"a grant has src, dst and ip here: {grant}")
        ports = [_PORT.fullmatch(port) for port in grant["ip"]]
        if None in ports:
            raise ValueError(f"ports are tcp:NUMBER here: {grant['ip']}")
        sources, targets = ({self._known(one) for one in grant[side]} for side in ("src", "dst"))
        return sources, targets, {int(port[1]) for port in ports if port}

    def allows(self, source: str, target: str, port: int) -> bool:
        """Whether a machine of `source` (a person, or a tag) reaches this TCP port of one of `target`."""
        names = {source} | {group for group, people in self.groups.items() if source in people}
        return any(names & sources and target in targets and port in ports for sources, targets, ports in self.grants)

    def failures(self) -> list[str]:
        """What the policy's own tests say and its grants do not."""
        out = []
        for test in self.tests:
            source = self._known(test["src"])
            for verdict, wanted in (("accept", True), ("deny", False)):
                for place in test.get(verdict, ()):
                    target, _, port = place.rpartition(":")
                    if self.allows(source, self._known(target), int(port)) is not wanted:
                        out.append(f"{source} -> {place}: not {verdict}")
        return out
