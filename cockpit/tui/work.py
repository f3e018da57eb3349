"""Background work of a widget: one job per group, ended with the widget."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode


def work(node: DOMNode, job: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
    """Starts a job; the one before in this group is cancelled."""
    # Textual's signature wants coroutines that neither yield nor receive, which no `async def` has
    node.run_worker(cast(Any, job), group=group, exclusive=True)
