"""`cockpit image upload` against a cluster over its real HTTP: what is sent, what becomes of it, what is left where it fails."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cockpit.actions.images import ImageActions, Wanted
from cockpit.actions.operations import Operations
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.adapters.clock import SystemClock
from cockpit.adapters.git.worktree import GitWorkTree
from cockpit.adapters.proxmox.templates import ProxmoxTemplates
from cockpit.adapters.proxmox.upload import PIECE, Stopped, Upload
from cockpit.domain.errors import Exit, OutcomeUnknown, Refused, Unreachable
from cockpit.domain.events import Outcome, Progress, Warned
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Tier
from cockpit.domain.settings import HostSettings, Settings
from cockpit.domain.templates import DiskImage, Template
from tests.standin.cluster import TEMPLATE_ID, Cluster, serving
from tests.unit.fake_images import FakeImageBuilder
from tests.unit.fakes import FakeAudit, FakeRepository

WANTED = Wanted("homelab", "home", "pve1", "local-lvm", 9001, name="homelab-template")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with serving(tmp_path) as found:
        yield found


class Bench:
    """Everything that an upload needs, with a real cluster behind it."""

    def __init__(self, folder: Path, cluster: Cluster, *, protected: bool = False, approve: tuple[str, ...] = ()) -> None:
        clock = SystemClock()
        self.clock = clock
        self.hypervisor = cluster.cluster(clock)
        self.store = ProxmoxTemplates(self.hypervisor)
        self.audit = FakeAudit()
        self.builder = FakeImageBuilder()
        data = b"QFI\xfb" + bytes(range(256)) * 8192
        (folder / "homelab.qcow2").write_bytes(data)
        self.image = DiskImage(str(folder / "homelab.qcow2"), len(data), hashlib.sha256(data).hexdigest())
        self.builder.image = self.image
        repository = FakeRepository()
        self.commit = repository.commit("a")
        settings = Settings(
            folder, hosts={"homelab": HostSettings("homelab", "192.0.2.1", flake="nix#homelab")},
            clusters={"home": cluster.settings(protected=protected)},
        )  # fmt: skip
        operations = Operations(clock, self.audit, Gate(clock, headless=True, approve_hosts=approve), "ada", "laptop")
        self.actions = ImageActions(
            settings,
            repository,
            self.builder,
            {"home": self.hypervisor},
            {"home": self.store},
            GitWorkTree(folder),
            operations,
            clock,
        )
        self.asked: list[tuple[Operation, Tier]] = []

    async def upload(self, yes: bool = True, **changed: Any) -> tuple[Outcome, Run]:  # noqa: ANN401
        run = Run("r1", self.clock)
        wanted = Wanted(**{name: changed.get(name, getattr(WANTED, name)) for name in WANTED.__struct_fields__})

        async def approve(planned: Operation, tier: Tier) -> bool:
            self.asked.append((planned, tier))
            return yes

        return await self.actions.upload(wanted, run, approve), run


@pytest.fixture
async def bench(tmp_path: Path, cluster: Cluster) -> AsyncGenerator[Bench]:
    found = Bench(tmp_path, cluster)
    yield found
    await found.hypervisor.close()


def sent(cluster: Cluster, method: str, end: str) -> list[str]:
    return [path for kind, path, _ in cluster.pve.requests if kind == method and path.endswith(end)]


async def test_from_a_commit_to_a_template(bench: Bench, cluster: Cluster) -> None:
    outcome, run = await bench.upload()
    assert outcome.exit is Exit.DONE, outcome
    assert bench.builder.built == [("homelab", bench.commit.sha)]
    assert cluster.provisioned.uploads == [("local", "import", bench.image.file, bench.image.size)]
    made = next(vm for vm in cluster.pve.vms if vm.vmid == 9001)
    assert made.template and made.status == "stopped" and made.node == "pve1"
    expected = {
        "bios": "ovmf", "scsihw": "virtio-scsi-single", "serial0": "socket", "agent": "1", "boot": "order=scsi0", "ostype": "l26",
        "tags": "cockpit-image", "description": f"homelab, of commit {bench.commit.sha}; by cockpit",
    }  # fmt: skip
    assert {key: str(made.config[key]) for key in expected} == expected
    assert made.config["scsi0"].startswith("local-lvm:base-9001-disk-") and "import-from" not in made.config["scsi0"]
    assert made.config["efidisk0"].startswith("local-lvm:base-9001-disk-")
    assert "efitype=4m,pre-enrolled-keys=0" in made.config["efidisk0"]
    assert made.config["ide2"].endswith("media=cdrom") and "bridge=vmbr0" in made.config["net0"]
    assert cluster.pve.storages["local"]["volumes"] == {}, "the image is not kept twice"

    planned, tier = bench.asked[0]
    assert tier is Tier.REVERSIBLE and planned.steps[0].target == "home/9001"
    assert [command.split()[0] for command in planned.commands] == ["nix", "scp", "pvesh", "pvesh"]
    assert any("same name" in impact.why for impact in planned.afterwards), "9000 is called the same"
    assert '"template": "homelab-template" in tofu/homelab.auto.tfvars.json' in outcome.hosts[0].text
    shares = [event.done or 0.0 for event in run.log if isinstance(event, Progress) and event.step == "send"]
    assert len(shares) > 5 and shares[-1] == 1.0 and shares == sorted(shares)
    (record,) = bench.audit.all
    assert (record["action"], record["exit"], record["who"]) == ("image.upload", 0, "ada")


async def test_without_a_yes_nothing_is_built_and_nothing_sent(bench: Bench, cluster: Cluster) -> None:
    outcome, _ = await bench.upload(yes=False)
    assert outcome.exit is Exit.REFUSED
    assert bench.builder.built == [] and bench.audit.all == []
    assert [kind for kind, _, _ in cluster.pve.requests if kind != "GET"] == []


async def test_a_protected_cluster_has_to_be_named(tmp_path: Path, cluster: Cluster) -> None:
    shut = Bench(tmp_path, cluster, protected=True)
    outcome, _ = await shut.upload()
    assert outcome.exit is Exit.REFUSED and outcome.hosts[0].hint == "--approve-host home"
    await shut.hypervisor.close()
    named = Bench(tmp_path, cluster, protected=True, approve=("home",))
    assert (await named.upload())[0].exit is Exit.DONE
    assert named.asked[0][1] is Tier.OUTAGE
    await named.hypervisor.close()


async def test_a_number_that_is_taken(bench: Bench, cluster: Cluster) -> None:
    cluster.pve.add_vm(200, "precious", status="stopped", template=True, config={"name": "precious", "tags": "prod"})
    cluster.pve.add_vm(201, "tagged", status="stopped", config={"name": "tagged", "tags": "cockpit-image"})
    outcome, _ = await bench.upload(vmid=200)
    assert outcome.exit is Exit.REFUSED and "precious" in outcome.hosts[0].text
    for vmid in (200, 201):
        outcome, _ = await bench.upload(vmid=vmid, replace=True)
        assert outcome.exit is Exit.REFUSED and "not a template that cockpit made" in outcome.hosts[0].text
    assert bench.asked == [] and bench.builder.built == []
    assert {vm.vmid for vm in cluster.pve.vms} >= {200, 201}


async def test_a_template_is_replaced_by_a_newer_one(bench: Bench, cluster: Cluster) -> None:
    outcome, _ = await bench.upload(vmid=TEMPLATE_ID, replace=True)
    assert outcome.exit is Exit.DONE, outcome
    planned, tier = bench.asked[0]
    assert tier is Tier.OUTAGE and "is deleted" in planned.interrupts[0].why
    assert planned.commands[1] == f"pvesh delete /nodes/pve1/qemu/{TEMPLATE_ID}"
    made = next(vm for vm in cluster.pve.vms if vm.vmid == TEMPLATE_ID)
    assert bench.commit.sha in made.config["description"]
    requests = [(kind, path.rpartition("/")[2]) for kind, path, _ in cluster.pve.requests if kind != "GET"]
    assert requests[:4] == [("POST", "upload"), ("DELETE", str(TEMPLATE_ID)), ("POST", "qemu"), ("POST", "template")]


async def test_a_number_that_is_taken_meanwhile(bench: Bench, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the plan and the deletion somebody made another guest of it."""
    original = bench.store.send

    async def send(*args: Any) -> str:  # noqa: ANN401
        cluster.guest("homelab-template").config["tags"] = "prod"
        return await original(*args)

    monkeypatch.setattr(bench.store, "send", send)
    outcome, _ = await bench.upload(vmid=TEMPLATE_ID, replace=True)
    assert outcome.exit is Exit.REFUSED
    assert sent(cluster, "DELETE", str(TEMPLATE_ID)) == []


async def test_an_image_that_lies_there_already_is_not_sent_again(bench: Bench, cluster: Cluster) -> None:
    cluster.pve.fail("POST", "/template", status=500, message="no space left", times=1)
    outcome, _ = await bench.upload()
    assert outcome.exit is Exit.FAILED and "no space left" in f"{outcome.hosts[0].text} {outcome.hosts[0].why}"
    assert all(vm.vmid != 9001 for vm in cluster.pve.vms), "what could not be finished is removed"
    again, _ = await bench.upload()
    assert again.exit is Exit.DONE
    assert len(cluster.provisioned.uploads) == 1


async def test_a_damaged_upload_is_noticed_by_the_node(bench: Bench, cluster: Cluster) -> None:
    bench.builder.image = DiskImage(bench.image.path, bench.image.size, "0" * 64)
    outcome, _ = await bench.upload()
    assert "send failed" in outcome.hosts[0].text and "checksum mismatch" in outcome.hosts[0].why
    assert all(vm.vmid != 9001 for vm in cluster.pve.vms)


async def test_a_lost_answer_is_not_asked_again(bench: Bench, cluster: Cluster) -> None:
    template = Template("home", "pve1", 9001, "t", "local-lvm", "local", "vmbr0")
    cluster.pve.lost_replies = 1
    with pytest.raises(Unreachable):
        await bench.store.send(template, bench.image, lambda count: None)
    assert len(sent(cluster, "POST", "/upload")) == 1
    assert await bench.store.sent(template, bench.image), "it had arrived, and the next try finds it"
    cluster.pve.lost_replies = 1
    with pytest.raises(OutcomeUnknown):
        await bench.store.create(template, bench.image)
    assert len(sent(cluster, "POST", "/qemu")) == 1


async def test_a_refusal_is_told_as_it_was_said(bench: Bench, cluster: Cluster) -> None:
    cluster.pve.fail(
        "POST", "/upload", status=403, message="Permission check failed (/storage/local, Datastore.AllocateTemplate)"
    )  # fmt: skip
    with pytest.raises(Refused) as error:
        await bench.store.send(
            Template("home", "pve1", 9001, "t", "local-lvm", "local", "vmbr0"), bench.image, lambda count: None
        )
    assert error.value.why == "it lacks Datastore.AllocateTemplate on /storage/local"


@pytest.mark.parametrize(
    ("changed", "exit_code", "told"),
    [
        ({"node": "pve9"}, Exit.USAGE, "no node 'pve9'"),
        ({"storage": "tank"}, Exit.USAGE, "no storage 'tank'"),
        ({"storage": "local"}, Exit.REFUSED, "takes no images"),
        ({"inbox": "local-lvm"}, Exit.REFUSED, "takes no import"),
        ({"cluster": "away"}, Exit.USAGE, "no cluster 'away'"),
        ({"host": "edge"}, Exit.USAGE, "no host 'edge'"),
    ],
)
async def test_what_cannot_work_is_told_before_anything_is_built(
    bench: Bench, cluster: Cluster, changed: dict[str, Any], exit_code: Exit, told: str
) -> None:
    outcome, _ = await bench.upload(**changed)
    assert outcome.exit is exit_code and told in outcome.hosts[0].text
    assert bench.builder.built == [] and bench.asked == []


async def test_what_is_not_said_is_as_tofus_variables_have_it(bench: Bench, cluster: Cluster, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"node": "", "storage": "", "vmid": 0, "name": ""}
    outcome, _ = await bench.upload(**nothing)
    assert outcome.exit is Exit.USAGE and (outcome.hosts[0].text, outcome.hosts[0].hint) == ("which node?", "--node")
    (tmp_path / "tofu").mkdir()
    variables = tmp_path / "tofu" / "homelab.auto.tfvars.json"
    variables.write_text('{"node": "pve1", "storage": "local-lvm", "bridge": "vmbr7", "template": "nixos", "hosts": {}}')
    outcome, _ = await bench.upload(**nothing)
    assert outcome.exit is Exit.DONE, outcome
    made = cluster.guest("nixos")
    assert made.vmid == TEMPLATE_ID + 1, "the first one that is free"
    assert "bridge=vmbr7" in made.config["net0"]
    outcome, _ = await bench.upload(**nothing)
    assert outcome.exit is Exit.REFUSED and "--replace" in outcome.hosts[0].hint, "the one that has this name"
    outcome, _ = await bench.upload(**nothing, replace=True)
    assert outcome.exit is Exit.DONE and cluster.guest("nixos").vmid == TEMPLATE_ID + 1
    variables.write_text("{")
    assert (await bench.upload(**nothing))[0].exit is Exit.USAGE


async def test_a_storage_that_takes_no_images_yet_and_the_command_for_it(bench: Bench, cluster: Cluster) -> None:
    cluster.pve.storages["local"]["content"] = "iso,vztmpl,backup"
    outcome, _ = await bench.upload()
    assert outcome.hosts[0].hint == "on a node: pvesm set local --content iso,vztmpl,backup,import"


async def test_a_right_that_is_missing_is_known_beforehand(tmp_path: Path, cluster: Cluster) -> None:
    pve = cluster.pve
    pve.users["ada@pve"] = "hunter2"
    pve.grant("ada@pve", "/", "VM.Audit", "Sys.Audit", "Datastore.Audit", "Datastore.AllocateSpace")
    bench = Bench(tmp_path, cluster)
    bench.actions._hypervisors = {"home": cluster.cluster(bench.clock, password=True, user="ada@pve", secret="hunter2")}
    outcome, _ = await bench.upload()
    assert outcome.exit is Exit.REFUSED and outcome.hosts[0].why == "it lacks Datastore.AllocateTemplate on /storage/local"
    await bench.actions._hypervisors["home"].close()
    await bench.hypervisor.close()


async def test_a_build_says_where_the_image_is(bench: Bench) -> None:
    run = Run("r1", bench.clock)
    outcome = await bench.actions.build("homelab", run)
    assert outcome.exit is Exit.DONE and bench.image.path in outcome.hosts[0].text
    assert bench.audit.all[0]["action"] == "image.build"
    assert not [event for event in run.log if isinstance(event, Warned)]


class Wire:
    """What http.client would put on the wire, counted and not kept."""

    def __init__(self) -> None:
        self.sock = self
        self.headers: dict[str, str] = {}
        self.total = self.largest = 0

    def settimeout(self, seconds: float) -> None: ...

    def putrequest(self, method: str, path: str) -> None: ...

    def putheader(self, name: str, value: str) -> None:
        self.headers[name] = value

    def endheaders(self) -> None: ...

    def send(self, data: bytes) -> None:
        self.total += len(data)
        self.largest = max(self.largest, len(data))


def test_a_large_image_is_never_in_memory(tmp_path: Path) -> None:
    path, size = tmp_path / "large.qcow2", 300 << 20
    with path.open("wb") as file:
        file.truncate(size)
    wire: Any = Wire()
    told: list[int] = []
    Upload(path, size, "large.qcow2", {"content": "import"}, told.append).send(wire, "/x", {"Authorization": "x"})
    assert wire.largest <= PIECE and told[-1] == size
    assert wire.total == int(wire.headers["Content-Length"]) > size


def test_whoever_asked_for_it_has_gone(tmp_path: Path) -> None:
    path, size = tmp_path / "large.qcow2", 50 << 20
    with path.open("wb") as file:
        file.truncate(size)
    wire: Any = Wire()
    upload = Upload(path, size, "large.qcow2", {}, lambda sent: upload.stop.set())
    with pytest.raises(Stopped):
        upload.send(wire, "/x", {})
    assert wire.total < 2 * PIECE


def test_a_file_that_became_shorter_is_not_sent_as_whole(tmp_path: Path) -> None:
    (tmp_path / "short.qcow2").write_bytes(b"QFI\xfb")
    with pytest.raises(Stopped):
        Upload(tmp_path / "short.qcow2", 5000, "short.qcow2", {}, lambda sent: None).send(Wire(), "/x", {})  # type: ignore[arg-type]
