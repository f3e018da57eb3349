"""Services and their logs."""

from __future__ import annotations

from cockpit.actions.catalog.base import HOSTS, LOGS, SERVICES, Action, Check, Context, Target

ACTIONS: tuple[Action, ...] = (
    Action("service.logs", "Logs", "logs", ("l",), "l", (SERVICES, HOSTS), Target.SERVICE, footer=True,
           description="Of the marked services together, merged by time, across hosts."),
    Action("logs.follow", "Follow", "follow", ("F",), "F", (LOGS,), Target.LINES, footer=True),
    Action("logs.timestamps", "Timestamps", "time", ("t",), "t", (LOGS,), Target.LINES, footer=True),
    Action("logs.wrap", "Wrap", "wrap", ("w",), "w", (LOGS,), Target.LINES, footer=True),
    Action("logs.level", "Level", "level", ("L",), "L", (LOGS,), Target.LINES, footer=True, description="The least that shows."),
)  # fmt: skip


def _logs(context: Context) -> str | None:
    if context.focus == SERVICES and context.service is not None and not context.service.container:
        return "it has no container"
    return None


CHECKS: dict[str, Check] = {
    "service.logs": _logs,
}
