"""Images of hosts: built on this machine, and made into the template of a cluster that tofu clones."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from itertools import count

import msgspec
from msgspec import Struct

from cockpit.actions import tasks
from cockpit.actions.operations import Operations, unasked
from cockpit.actions.run import Approval, Run
from cockpit.domain.errors import CockpitError, OperationFailed, Refused, UsageError
from cockpit.domain.events import Outcome, Output, Progress, Waiting, Warned
from cockpit.domain.guests import ClusterSnapshot, Guest, GuestKind, Storage
from cockpit.domain.operation import Impact, Operation, Step
from cockpit.domain.plan import Tier
from cockpit.domain.repository import Commit
from cockpit.domain.settings import HostSettings, Settings
from cockpit.domain.templates import TAG, DiskImage, Template, amount
from cockpit.ports import Clock, Hypervisor, Repository, WorkTree
from cockpit.ports.making import ImageBuilder, TemplateStore

VARIABLES = "tofu/homelab.auto.tfvars.json"
MOST = 1 << 20
"""Bytes of it."""
FIRST = 9000
"""Templates are numbered from here on where nobody says otherwise."""
TENTHS = 10
_STEPS = {
    "send": "the node checks it and puts it in place",
    "delete": "the template that was there goes",
    "create": "a guest with the image as its disk",
    "convert": "that guest becomes a template",
}
"""What each task of a cluster is for, in words."""


class Wanted(Struct, frozen=True):
    """What `image upload` was asked for. What is empty is as tofu's variables have it: they name the template that it clones."""

    host: str
    cluster: str
    node: str = ""
    storage: str = ""
    vmid: int = 0
    """0: that of the template which has the name and was made by cockpit, else the first free one from `FIRST` on."""
    name: str = ""
    inbox: str = "local"
    bridge: str = ""
    replace: bool = False
    commit: str | None = None
    image: str = ""
    """A file that was built elsewhere; empty to build it."""


class ImageActions:
    def __init__(
        self,
        settings: Settings,
        repository: Repository,
        builder: ImageBuilder,
        hypervisors: Mapping[str, Hypervisor],
        stores: Mapping[str, TemplateStore],
        work_tree: WorkTree,
        operations: Operations,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._repository = repository
        self._builder = builder
        self._hypervisors = hypervisors
        self._stores = stores
        self._work_tree = work_tree
        self._operations = operations
        self._clock = clock

    # build

    async def build(self, name: str, run: Run, commit: str | None = None) -> Outcome:
        """Changes nothing but this machine's own nix store. Raises nothing that it can explain."""
        found: list[Commit] = []

        async def plan() -> Operation:
            host = self._host(name)
            found.append(await self._commit(commit, run))
            steps = (Step(name, (self._builder.command(host, found[0].sha),)),)
            return Operation(run.id, "image.build", "build", f"Build the image of {name}", Tier.READ, steps)

        async def apply(step: Step) -> str:
            image = await self._built(self._host(name), found[0].sha, run, name)
            return f"{image.path}, {amount(image.size)}, of {found[0].short}"

        return await self._operations.execute(run, plan, apply, unasked)

    def _host(self, name: str) -> HostSettings:
        if name not in self._settings.hosts:
            raise UsageError(f"there is no host {name!r}", f"cockpit.yaml names {', '.join(self._settings.hosts) or 'none'}")
        return self._settings.hosts[name]

    async def _commit(self, revision: str | None, run: Run) -> Commit:
        if revision is None and (changed := (await self._repository.tree()).modified):
            run.emit(Warned, step="plan", text=f"what is not committed is not in the image: {', '.join(changed[:3])}")
        return await self._repository.resolve(revision or "HEAD")

    async def _built(self, host: HostSettings, commit: str, run: Run, target: str) -> DiskImage:
        run.emit(Waiting, host=target, step="build", text="nix build; the first one takes long")
        return await self._builder.build(host, commit, lambda line: _output(run, target, line))

    # upload

    async def upload(self, wanted: Wanted, run: Run, approve: Approval) -> Outcome:
        """Builds the image unless there is a file, sends it, and makes the template. Raises nothing that it can explain."""
        found: list[Commit] = []
        filled: list[Wanted] = []

        async def plan() -> Operation:
            host = self._host(wanted.host)
            if not wanted.image:
                found.append(await self._commit(wanted.commit, run))
            seen = await self._hypervisor(wanted.cluster).snapshot()
            filled.append(_numbered(await self._filled(wanted), seen))
            _check(filled[0], seen)
            old = _replaced(filled[0], seen.guest(filled[0].vmid))
            return self._operation(run, filled[0], old, host, found, seen.guests)

        async def apply(step: Step) -> str:
            return await self._upload(filled[0], found[0] if found else None, run)

        return await self._operations.execute(run, plan, apply, approve)

    async def _filled(self, wanted: Wanted) -> Wanted:
        """With what tofu's variables say; they are read as they stand on the disk."""
        data = (await self._work_tree.read_many([VARIABLES], MOST)).get(VARIABLES, b"{}")
        try:
            said = msgspec.json.decode(data, type=dict[str, object])
        except msgspec.DecodeError as error:
            raise UsageError(f"{VARIABLES} cannot be read", str(error)) from None
        keys = {"node": "node", "storage": "storage", "bridge": "bridge", "name": "template"}
        values = {field: getattr(wanted, field) or str(said.get(key) or "") for field, key in keys.items()}
        for field in ("node", "storage"):
            if not values[field]:
                raise UsageError(f"which {field}?", f"{VARIABLES} names none", f"--{field}")
        values["name"] = values["name"] or f"{wanted.host}-template"
        values["bridge"] = values["bridge"] or "vmbr0"
        return msgspec.structs.replace(wanted, **values)

    def _hypervisor(self, cluster: str) -> Hypervisor:
        if cluster not in self._hypervisors:
            raise UsageError(f"there is no cluster {cluster!r}", "", f"clusters: {', '.join(self._hypervisors) or 'none'}")
        return self._hypervisors[cluster]

    def _operation(
        self, run: Run, wanted: Wanted, old: Guest | None, host: HostSettings, found: list[Commit], guests: Sequence[Guest]
    ) -> Operation:
        template = _template(wanted, found[0] if found else None)
        cluster = self._settings.clusters.get(wanted.cluster)
        twins = [guest for guest in guests if guest.template and guest.name == template.name and guest.vmid != wanted.vmid]
        stand_in = DiskImage(wanted.image or "IMAGE.qcow2", 0, "DIGEST")
        commands = (
            *((self._builder.command(host, found[0].sha),) if found else ()),
            *((f"pvesh delete /nodes/{old.node}/qemu/{old.vmid}",) if old is not None else ()),
            *self._stores[wanted.cluster].commands(template, stand_in),
        )
        return Operation(
            run.id,
            "image.upload",
            "upload",
            f"Make the template {template.name} of {wanted.host} in {wanted.cluster}",
            Tier.REVERSIBLE if old is None else Tier.OUTAGE,
            (Step(template.ref, commands, bool(cluster and cluster.protected)),),
            interrupts=() if old is None else (Impact("✕", old.label, "the template that is there now is deleted"),),
            afterwards=(
                Impact("○", template.name, "guests that were cloned before stay as they are"),
                *(Impact("▲", twin.label, "has the same name: tofu could clone either") for twin in twins),
            ),
        )

    async def _upload(self, wanted: Wanted, commit: Commit | None, run: Run) -> str:
        template = _template(wanted, commit)
        target, store = template.ref, self._stores[wanted.cluster]
        if commit is None:
            image = await self._builder.read(wanted.image)
        else:
            image = await self._built(self._host(wanted.host), commit.sha, run, target)
        if await store.sent(template, image):
            run.emit(Output, host=target, step="send", text=f"{image.file} is in {template.inbox} already")
        else:
            upid = await store.send(template, image, _Sent(run, target, image.size))
            await self._ended(upid, template, "send", run)
        hypervisor = self._hypervisor(wanted.cluster)
        # a build and an upload later the number may be somebody else's
        old = _replaced(wanted, (await hypervisor.snapshot()).guest(wanted.vmid))
        if old is not None and _replaced(wanted, await hypervisor.guest(wanted.vmid)) is not None:
            await self._ended(await store.delete(old.node, old.vmid), template, "delete", run)
        await self._ended(await store.create(template, image), template, "create", run)
        try:
            await self._ended(await store.convert(template), template, "convert", run)
        except OperationFailed:
            await self._tidy(self._delete(store, template, run), run, target)
            raise
        await self._tidy(store.discard(template, image), run, target)
        said = f'"template": "{template.name}" in {VARIABLES}'
        return f"template {template.name} ({amount(image.size)}); for tofu: {said}"

    async def _ended(self, upid: str, template: Template, step: str, run: Run) -> None:
        run.emit(Waiting, host=template.ref, step=step, text=_STEPS[step])
        task = await tasks.follow(self._hypervisor(template.cluster), upid, run, template.ref, step, self._clock)
        if not task.ok:
            why = task.exit
            raise OperationFailed(f"{template.ref}: {step} failed", why, f"its log: task {task.kind} on {task.node}")

    async def _delete(self, store: TemplateStore, template: Template, run: Run) -> None:
        """What this run made, and could not finish."""
        await self._ended(await store.delete(template.node, template.vmid), template, "delete", run)

    async def _tidy(self, work: Awaitable[None], run: Run, target: str) -> None:
        """What may fail without the rest being wrong."""
        try:
            await work
        except CockpitError as error:
            run.emit(Warned, host=target, text=f"{error.what}: {error.why}")


def _numbered(wanted: Wanted, seen: ClusterSnapshot) -> Wanted:
    if wanted.vmid:
        return wanted
    ours = [g.vmid for g in seen.guests if g.template and g.name == wanted.name and TAG in g.tags]
    taken = {guest.vmid for guest in seen.guests}
    return msgspec.structs.replace(wanted, vmid=ours[0] if ours else next(n for n in count(FIRST) if n not in taken))


def _replaced(wanted: Wanted, guest: Guest | None) -> Guest | None:
    """The template that is to be replaced; None where the number is free. Refused for every other guest."""
    if guest is None:
        return None
    if not wanted.replace:
        hint = "--replace, if cockpit made it; else another --vmid"
        raise Refused(f"{guest.ref} exists: {guest.name}", "nothing is overwritten unasked", hint)
    if guest.kind is not GuestKind.QEMU or not guest.template or TAG not in guest.tags:
        why = f"only a template with the tag {TAG} is ever deleted"
        raise Refused(f"{guest.ref} ({guest.name}) is not a template that cockpit made", why, "another --vmid")
    return guest


def _template(wanted: Wanted, commit: Commit | None) -> Template:
    made = f"commit {commit.sha}" if commit is not None else "an image that was given"
    description = f"{wanted.host}, of {made}; by cockpit"
    return Template(
        wanted.cluster, wanted.node, wanted.vmid, wanted.name, wanted.storage, wanted.inbox, wanted.bridge, description
    )


def _check(wanted: Wanted, seen: ClusterSnapshot) -> None:
    """Everything that can be known before an image is built. Raises UsageError, Refused, OperationFailed."""
    if not seen.quorate:
        raise OperationFailed(f"{seen.cluster} has no quorum", "nothing can be changed there", "`pvecm status` on a node")
    node = next((n for n in seen.nodes if n.name == wanted.node), None)
    if node is None:
        raise UsageError(f"{seen.cluster} has no node {wanted.node!r}", "", f"nodes: {', '.join(n.name for n in seen.nodes)}")
    if not node.online:
        raise OperationFailed(f"{node.name} of {seen.cluster} is offline", "", "another --node")
    _storage(seen, wanted.node, wanted.storage, "images", "--storage")
    inbox = _storage(seen, wanted.node, wanted.inbox, "import", "--inbox")
    needed = (
        (f"/storage/{inbox.name}", "Datastore.AllocateTemplate"),
        (f"/storage/{wanted.storage}", "Datastore.AllocateSpace"),
        (f"/vms/{wanted.vmid}", "VM.Allocate"),
    )
    for path, right in needed:
        if not seen.rights.has(path, right):
            raise Refused(f"{seen.rights.user} may not make templates", f"it lacks {right} on {path}", "docs/provisioning.md")


def _storage(seen: ClusterSnapshot, node: str, name: str, content: str, option: str) -> Storage:
    here = [s for s in seen.storages if s.node == node]
    found = next((s for s in here if s.name == name), None)
    if found is None:
        raise UsageError(f"{node} has no storage {name!r}", option, f"storages: {', '.join(s.name for s in here)}")
    if content not in found.content:
        fit = ", ".join(s.name for s in here if content in s.content)
        everything = ",".join((*found.content, content))
        hint = f"{option} with one of: {fit}" if fit else f"on a node: pvesm set {name} --content {everything}"
        raise Refused(f"{name} of {node} takes no {content}", "its content types do not have it", hint)
    if not found.available:
        raise OperationFailed(f"{name} of {node} is not available", "", "`pvesm status` there")
    return found


def _output(run: Run, target: str, line: str) -> None:
    run.emit(Output, host=target, step="build", text=line)


class _Sent:
    """Every percent for who watches a bar, every tenth for who reads lines."""

    def __init__(self, run: Run, target: str, size: int) -> None:
        self._run, self._target, self._size = run, target, max(1, size)
        self._percent = self._tenth = -1

    def __call__(self, sent: int) -> None:
        percent = sent * 100 // self._size
        if percent == self._percent:
            return
        self._percent = percent
        text = f"{amount(sent)} of {amount(self._size)}"
        self._run.emit(Progress, host=self._target, step="send", text=text, done=sent / self._size)
        if (tenth := percent // TENTHS) != self._tenth:
            self._tenth = tenth
            self._run.emit(Waiting, host=self._target, step="send", text=text)
