"""How numbers are told: ages, durations, sizes, clocks."""

from __future__ import annotations

import time as _time

_KIB = 1024.0


def age(seconds: float) -> str:
    """One unit: `8s 4m 9h 3d`. Below a minute it steps by tens past ten seconds, so that an idle screen stays still."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{int(seconds)}s"
    if seconds < 60:
        return f"{int(seconds) // 10 * 10}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    if seconds < 24 * 3600:
        return f"{int(seconds // 3600)}h"
    return f"{int(seconds // 86400)}d"


def exact_age(seconds: float) -> str:
    """Like `age`, to the second below a minute: for what steps while somebody watches it."""
    return f"{int(max(0.0, seconds))}s" if seconds < 60 else age(seconds)


def duration(seconds: float | None) -> str:
    """`0.9s`, `39s`, `1m 12s`, `2h 05m`."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def countdown(seconds: float) -> str:
    """`8:05` for a chip."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def left(seconds: float) -> str:
    """`12s`, `4m 12s`: what is left, to the second."""
    whole = max(0, int(seconds))
    return f"{whole}s" if whole < 60 else f"{whole // 60}m {whole % 60:02d}s"


def size(count: int | None) -> str:
    """`4.82 GiB`, `51.3 MiB`."""
    if count is None:
        return "–"
    if count >= _KIB**3:
        return f"{count / _KIB**3:.2f} GiB"
    if count >= _KIB**2:
        return f"{count / _KIB**2:.1f} MiB"
    return f"{count / _KIB:.0f} KiB"


def delta(count: int) -> str:
    """`+51.3 MiB`."""
    sign = "-" if count < 0 else "+"
    return f"{sign}{size(abs(count))}" if abs(count) >= _KIB * 100 else f"{sign}{abs(count) / _KIB**2:.1f} MiB"


def short_size(count: int) -> str:
    """`511M`, `1.2G`: for service and guest tables."""
    if count >= 10 * _KIB**3:
        return f"{count / _KIB**3:.0f}G"
    if count >= _KIB**3:
        return f"{count / _KIB**3:.1f}G"
    return f"{count / _KIB**2:.0f}M" if count >= _KIB**2 else f"{count / _KIB:.0f}K"


def clock(seconds: float) -> str:
    """`14:06:50.310`, local time."""
    moment = _time.localtime(seconds)
    return _time.strftime("%H:%M:%S", moment) + f".{int(seconds % 1 * 1000):03d}"


def thousands(count: int) -> str:
    return f"{count:,}"


def several(count: int, word: str, more: str = "") -> str:
    """`1 service`, `3 services`."""
    return f"{count} {word if count == 1 else more or word + 's'}"


def exact_time(seconds: float | None) -> str:
    """`2025-12-20 13:27:11`, local time; for copying."""
    return "" if seconds is None else _time.strftime("%Y-%m-%d %H:%M:%S", _time.localtime(seconds))
