"""What `cockpit lock` and `cockpit update` need, put together."""

from __future__ import annotations

from msgspec import Struct

from cockpit.actions.lock import Lock
from cockpit.actions.update import Update


class Upkeep(Struct, frozen=True):
    lock: Lock
    update: Update
