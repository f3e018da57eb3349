"""Run ids: 8 characters base32 (Crockford, lower case), made by the controller, the same on every host of a run."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id(now: float | None = None) -> str:
    """Five characters of time (minutes, wraps after 64 years) and three of chance: sorts roughly by age, unique in practice."""
    minutes = int((time.time() if now is None else now) // 60) % 32**5
    number = minutes * 32**3 + secrets.randbelow(32**3)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(35, -5, -5))


def is_run_id(text: str) -> bool:
    """Whether the text could be a run id or a prefix of one."""
    return 0 < len(text) <= 8 and all(c in _ALPHABET for c in text)
