"""`cockpit image build` and `cockpit image upload`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection

from cockpit.actions.bundle import Cockpit
from cockpit.actions.images import Wanted
from cockpit.actions.run import Run
from cockpit.cli.output import Renderer
from cockpit.domain.errors import UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier


async def execute(cockpit: Cockpit, args: argparse.Namespace, run: Run, catch_up: Callable[[], None], face: Renderer) -> Outcome:
    """Never a question: a template is made with --yes only."""
    host = _only(args.host, cockpit.settings.hosts, "host", "HOST")
    if args.what == "build":
        return await cockpit.images.build(host, run, args.commit)
    if args.image and args.commit:
        raise UsageError("--image and --commit", "a file was built already, from whatever commit")

    async def approve(planned: Operation, tier: Tier) -> bool:
        catch_up()
        face.operation(planned, tier)
        return bool(args.yes)

    cluster = _only(args.cluster, cockpit.settings.clusters, "cluster", "--cluster")
    wanted = Wanted(
        host,
        cluster,
        args.node,
        args.storage,
        args.vmid,
        name=args.name,
        inbox=args.inbox,
        bridge=args.bridge,
        replace=args.replace,
        commit=args.commit,
        image=args.image,
    )
    return await cockpit.images.upload(wanted, run, approve)


def _only(named: str | None, known: Collection[str], kind: str, option: str) -> str:
    """The one that was named, or the only one that there is."""
    if named is not None:
        return named
    if len(known) != 1:
        raise UsageError(f"which {kind}?", f"cockpit.yaml names {', '.join(known) or 'none'}", option)
    return next(iter(known))
