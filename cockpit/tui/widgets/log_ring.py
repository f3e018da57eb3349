"""Log items in a ring with sequence numbers that stay: dropping the oldest never renumbers the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cockpit.domain.services import Level, LogGap, LogItem

CAPACITY = 100_000


class Ring:
    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._items: list[LogItem] = []
        self.first = 0
        """Sequence number of the oldest item that is kept."""
        self._keep: Callable[[LogItem], bool] | None = None
        self._kept: list[int] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def end(self) -> int:
        """The next sequence number."""
        return self.first + len(self._items)

    def clear(self) -> None:
        self.first = self.end
        self._items = []
        self._kept = []

    def extend(self, items: Iterable[LogItem]) -> None:
        before = self.end
        self._items.extend(items)
        if (keep := self._keep) is not None:
            self._kept += [seq for seq in range(before, self.end) if keep(self[seq])]
        extra = len(self._items) - self._capacity
        # a tenth at a time, so that a full ring does not move its list for every line
        if extra > 0 and (extra >= self._capacity // 10 or len(self._items) > self._capacity * 11 // 10):
            del self._items[:extra]
            self.first += extra
            self._kept = [seq for seq in self._kept if seq >= self.first]

    def __getitem__(self, seq: int) -> LogItem:
        return self._items[seq - self.first]

    def narrow(self, keep: Callable[[LogItem], bool] | None) -> None:
        """Shows only what `keep` says; None shows everything."""
        self._keep = keep
        self._kept = [] if keep is None else [seq for seq in range(self.first, self.end) if keep(self[seq])]

    @property
    def shown(self) -> Sequence[int]:
        """Sequence numbers of what is shown, in order."""
        return range(self.first, self.end) if self._keep is None else self._kept


def at_least(level: Level) -> Callable[[LogItem], bool]:
    """Lines of this level or worse; gaps, and lines that name no level, belong to what they stand beside and stay."""

    def keep(item: LogItem) -> bool:
        return isinstance(item, LogGap) or item.level is Level.UNKNOWN or item.level.value >= level.value

    return keep
