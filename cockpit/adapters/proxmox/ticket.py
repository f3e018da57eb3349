"""What a password was exchanged for."""

from __future__ import annotations

import threading
import time

TICKET_FOR = 5400.0
"""Seconds after which a new ticket is asked for; PVE's lives two hours. By the wall clock: the other one stops in suspend."""


class Ticket:
    """What a password was exchanged for; all threads of a cluster share it. PVE's nodes accept each other's."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value = ""
        self.csrf = ""
        self.until = 0.0

    @property
    def good(self) -> bool:
        return bool(self.value) and time.time() < self.until

    def keep(self, value: str, csrf: str) -> None:
        self.value, self.csrf, self.until = value, csrf, time.time() + TICKET_FOR
