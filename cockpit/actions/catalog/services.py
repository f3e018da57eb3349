"""Services and their logs."""

from __future__ import annotations

from functools import partial

from cockpit.actions.catalog.base import HOSTS, LOGS, SERVICES, Action, Check, Context, Target
from cockpit.domain.containers import Lifecycle, unfit
from cockpit.domain.plan import Tier
from cockpit.domain.services import State

ACTIONS: tuple[Action, ...] = (
    Action("service.logs", "Logs", "logs", ("l",), "l", (SERVICES, HOSTS), Target.SERVICE, footer=True,
           description="Of the marked services together, merged by time, across hosts."),
    Action("service.shell", "Shell in the container", "shell", ("s",), "s", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE,
           "Suspends cockpit until the shell ends: its own $SHELL, else bash, else sh.", footer=True),
    Action("service.describe", "Details", "details", ("d",), "d", (SERVICES,), Target.SERVICE, footer=True,
           description="Ports, mounts, networks, image, restarts and the last exit."),
    Action("service.environment", "Environment", "environment", ("E",), "E", (SERVICES,), Target.SERVICE, footer=True,
           description="Masked; enter shows the value of a line for a while."),
    Action("service.restart", "Restart", "restart", ("r",), "r", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE, footer=True,
           planned=True, description="One, the marked ones, or a project. An outage where it carries traffic: a proxy, DNS."),
    Action("service.up", "Bring up", "up", ("u",), "u", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE, footer=True, planned=True,
           description="As the running release has it; its dependencies are left alone."),
    Action("service.start", "Start", "start", ("S",), "S", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE, planned=True,
           description="The container that is there."),
    Action("service.stop", "Stop", "stop", ("ctrl+x",), "ctrl+x", (SERVICES,), Target.SERVICE, Tier.OUTAGE, footer=True,
           planned=True),
    Action("service.pull", "Pull the image", "pull", ("P",), "P", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE, planned=True,
           description="What runs goes on with the old one until it is brought up."),
    Action("project.up", "Bring up the project", "up project", ("U",), "U", (SERVICES,), Target.SERVICE, Tier.REVERSIBLE,
           planned=True, description="What the running release has of it; what it no longer has is removed."),
    Action("project.down", "Take down the project", "down", ("X",), "X", (SERVICES,), Target.SERVICE, Tier.OUTAGE, planned=True,
           description="Containers and networks; volumes are kept."),
    Action("service.url", "Open its URL", "open url", ("o",), "o", (SERVICES,), Target.SERVICE,
           description="That of its homepage or Traefik label, in the browser of this machine."),
    Action("service.source", "Edit its compose file", "edit source", ("e",), "e", (SERVICES,), Target.SERVICE,
           description="In Files; what is saved there runs after a deploy."),
    Action("logs.follow", "Follow", "follow", ("F",), "F", (LOGS,), Target.LINES, footer=True),
    Action("logs.since", "Since", "since", ("T",), "T", (LOGS,), Target.LINES, footer=True,
           description="5 minutes, 15 minutes, an hour, 6 hours, a day, everything."),
    Action("logs.timestamps", "Timestamps", "time", ("t",), "t", (LOGS,), Target.LINES, footer=True),
    Action("logs.wrap", "Wrap", "wrap", ("w",), "w", (LOGS,), Target.LINES, footer=True),
    Action("logs.level", "Level", "level", ("L",), "L", (LOGS,), Target.LINES, footer=True, description="The least that shows."),
    Action("logs.marker", "Set a marker", "marker", ("M",), "M", (LOGS,), Target.LINES, footer=True,
           description="A rule between the lines, to see what came after."),
    Action("logs.save", "Save the lines that show", "save", ("ctrl+s",), "ctrl+s", (LOGS,), Target.LINES,
           description="Into a new file in the current folder, readable by you alone."),
)  # fmt: skip


def _logs(context: Context) -> str | None:
    if context.focus == SERVICES and context.service is not None and not context.service.container:
        return "it has no container"
    return None


def _one(context: Context) -> str | None:
    if context.service is None:
        return "no service is selected"
    return None if context.service.container else "it has no container"


def _shell(context: Context) -> str | None:
    if context.service is None:
        return "no service is selected"
    return None if context.service.state is State.RUNNING else "it does not run"


def _url(context: Context) -> str | None:
    if context.service is None:
        return "no service is selected"
    return None if context.service.url else "no label of it names a URL"


def _possible(verb: Lifecycle, context: Context) -> str | None:
    """Of several one that fits is enough: the plan leaves out the others, and says so."""
    if not context.services:
        return "no service is selected"
    if verb.compose and context.facts is not None and context.facts.holder is not None:
        return f"{context.facts.holder.who} holds the lock from {context.facts.holder.origin}"
    reasons = [unfit(service, verb) for service in context.services]
    return None if None in reasons else reasons[0]


CHECKS: dict[str, Check] = {
    "service.logs": _logs,
    "service.shell": _shell,
    "service.describe": _one,
    "service.environment": _one,
    "service.url": _url,
    "service.source": lambda context: None if context.services else "no service is selected",
    "service.restart": partial(_possible, Lifecycle.RESTART),
    "service.start": partial(_possible, Lifecycle.START),
    "service.stop": partial(_possible, Lifecycle.STOP),
    "service.up": partial(_possible, Lifecycle.UP),
    "service.pull": partial(_possible, Lifecycle.PULL),
    "project.up": partial(_possible, Lifecycle.UP),
    "project.down": partial(_possible, Lifecycle.DOWN),
}
