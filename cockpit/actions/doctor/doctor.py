"""The action: looks over this machine, the repository and hosts. Changes nothing anywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.examine import Examination, Result, examine
from cockpit.actions.doctor.table import CHECKS
from cockpit.domain.settings import Settings


class Doctor:
    """`make` gives a new context: what was read for one examination is not believed in the next."""

    def __init__(self, make: Callable[[], Context], closing: Callable[[], Awaitable[None]] | None = None) -> None:
        self._make = make
        self._closing = closing

    @property
    def settings(self) -> Settings | None:
        """None outside a homelab, and where its settings are wrong: then only this machine is looked over."""
        return self._make().settings

    async def examine(
        self,
        hosts: Sequence[str] | None = None,
        *,
        offline: bool = False,
        on_result: Callable[[Result, int], None] | None = None,
    ) -> Examination:
        """Of these hosts, all without any. Raises nothing: what cannot be looked at is a finding."""
        context = self._make()
        if context.settings is not None:
            context.wanted = tuple(context.settings.hosts if hosts is None else hosts)
        return await examine(context, CHECKS, offline=offline, on_result=on_result)

    def closed_by(self, closing: Callable[[], Awaitable[None]]) -> Doctor:
        """The same one, which owns what it looks through."""
        return Doctor(self._make, closing)

    async def close(self) -> None:
        if self._closing is not None:
            await self._closing()
