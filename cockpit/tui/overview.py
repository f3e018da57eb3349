"""What the tabs say: the worst of every pane, from what the fleet knows, whether the pane was visited or not."""

from __future__ import annotations

from cockpit.actions.bundle import Cockpit
from cockpit.domain.guests import ClusterSnapshot
from cockpit.tui.panes import vm_rows
from cockpit.tui.panes.base import worst
from cockpit.tui.panes.host_rows import HostRow
from cockpit.tui.panes.service_rows import service_shape
from cockpit.tui.widgets.tab_bar import Worst


def host_shapes(cockpit: Cockpit) -> list[str]:
    now = cockpit.clock.now()
    return [HostRow(cockpit.settings.hosts[name], o.latest, "", now).shape for name, o in cockpit.fleet.hosts.items()]


def service_shapes(cockpit: Cockpit) -> list[str]:
    return [service_shape(s) for o in cockpit.fleet.services.values() if o.latest.value for s in o.latest.value.services]


_COUNTED: dict[str, tuple[ClusterSnapshot, list[str]]] = {}
"""What was counted last of each cluster: thousands of guests are not looked at with every key."""


def guest_shapes(cockpit: Cockpit) -> list[str]:
    out: list[str] = []
    for name, observer in cockpit.fleet.guests.clusters.items():
        seen = observer.latest.value
        if seen is None:
            out += ["✕"] if observer.latest.error else []
            continue
        if name not in _COUNTED or _COUNTED[name][0] is not seen:
            _COUNTED[name] = seen, [s for s in vm_rows.shapes_of(seen) if s in "✕▲‖"]
        out += _COUNTED[name][1]
    return out


def worst_of_all(cockpit: Cockpit) -> dict[str, Worst]:
    out: dict[str, Worst] = {}
    hosts, services, guests = host_shapes(cockpit), service_shapes(cockpit), guest_shapes(cockpit)
    tree = cockpit.fleet.tree.latest.value
    changed = len(tree.modified) + len(tree.untracked) if tree else 0
    found = {
        "overview": worst(hosts + services),
        "vms": worst(guests),
        "hosts": worst(hosts),
        "services": worst(services),
        "files": Worst("±", changed) if changed else None,
        "releases": _at_work(cockpit),
    }
    for pane, what in found.items():
        if what is not None:
            out[pane] = what
    return out


def _at_work(cockpit: Cockpit) -> Worst | None:
    mine = {run.id for run in cockpit.runs.list() if not run.finished and run.committed}
    others = {f.holder.run for o in cockpit.fleet.hosts.values() if (f := o.latest.value) and f.holder}
    return Worst("◐", len(mine | others)) if mine | others else None
