"""The gate that every action passes before it changes anything: read-only mode, protected hosts, tiers of approval."""

from __future__ import annotations

from collections.abc import Iterable

from cockpit.domain.errors import Refused
from cockpit.domain.plan import Plan, Tier
from cockpit.ports import Clock

ARMED_FOR = 600.0
"""Seconds that `W` arms writing for."""


ROLE = "`role` in ~/.config/cockpit/config.yaml"


def raised(tier: Tier, protected: bool) -> Tier:
    """The tier that decides what is asked: `protected: true` raises a host by one; reading stays reading."""
    if not protected or tier in (Tier.READ, Tier.DATA_LOSS):
        return tier
    return Tier(tier.value + 1)


class Gate:
    """Starts read-only. Reversible actions need it armed or an allowance; worse ones an allowance each time.

    For an observer it is shut: nothing arms it, and no allowance counts."""

    def __init__(
        self, clock: Clock, *, headless: bool = False, approve_hosts: Iterable[str] = (), observes: bool = False
    ) -> None:
        self._clock = clock
        self._observes = observes
        self._headless = headless
        self._approve_hosts = frozenset(approve_hosts)
        self._until: float | None = None
        self._allowed: set[str] = set()

    @property
    def headless(self) -> bool:
        return self._headless

    @property
    def observes(self) -> bool:
        """`role: observe`: everything that changes something is refused, by key and by command line."""
        return self._observes

    def begin(self, action: str) -> None:
        """Refused for an observer: asked before a plan is made, because making one may build and send."""
        if self._observes:
            raise Refused(f"{action} changes something, and the role here is to observe", "", ROLE)

    @property
    def armed_until(self) -> float | None:
        """Seconds since the epoch; None while read-only, and for ever in headless mode."""
        if self._until is not None and self._clock.now() >= self._until:
            self._until = None
        return self._until

    @property
    def armed(self) -> bool:
        return not self._observes and (self._headless or self.armed_until is not None)

    def arm(self, seconds: float = ARMED_FOR) -> None:
        self.begin("arming")
        self._until = self._clock.now() + seconds

    def disarm(self) -> None:
        self._until = None

    def allow_once(self, what: Plan | str) -> None:
        """A person approved this plan (its dialog), or this action of the catalogue (`y`), once."""
        self._allowed.add(what.run if isinstance(what, Plan) else what)

    def check(self, tier: Tier, action: str, target: str, protected: bool = False, *, run: str | None = None) -> None:
        """Raises Refused where the action may not happen now. An allowance for an action is spent; one for a run is kept
        until `spend(run)`, because a run has several hosts."""
        if tier is Tier.READ:
            return
        self.begin(f"{action} on {target}")
        if self._headless:
            if protected and target not in self._approve_hosts:
                raise Refused(
                    f"{target} is protected",
                    f"{action} there needs an approval that names it",
                    f"--approve-host {target}",
                )
            return
        if run is not None and run in self._allowed:
            return
        if raised(tier, protected) is Tier.REVERSIBLE and self.armed:
            return
        if action in self._allowed:
            self._allowed.discard(action)
            return
        if raised(tier, protected) is Tier.REVERSIBLE:
            raise Refused(f"{action} on {target} is not armed", "cockpit starts read-only", "W arms writing for ten minutes")
        raise Refused(f"{action} on {target} was not approved", "its dialog has to be answered with y")

    def spend(self, run: str) -> None:
        self._allowed.discard(run)
