"""A provider under the name of telmate/proxmox, for tests only: the recorded schema, and guests made through the Proxmox API.

OpenTofu starts it (`run.py` writes what it starts). It plans as a provider without defaults would: what is computed and not set
is unknown until the guest exists. A change that a running guest takes with the next start is treated as 3.0.2-rc09 treats it:
`automatic_reboot = true` fails, `false` reboots (Telmate/terraform-provider-proxmox#1526).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import tf.provider
from tf.gen import tfplugin_pb2 as pb
from tf.runner import run_provider

from tests.standin import guest
from tests.standin.api import Api, ApiError
from tests.standin.schema import RECORDED, RESOURCES, UNKNOWN, Values, block, dump, fill, load

STARTED = 60.0
"""Seconds that a guest may take to be running, or stopped."""


def _told(work: Callable[[], Any], failed: Callable[[list[pb.Diagnostic]], Any]) -> Any:  # noqa: ANN401 - a response
    """What `work` answers, or the answer with the cluster's words."""
    try:
        return work()
    except ApiError as error:
        return failed([pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=str(error))])


class Servicer(tf.provider.ProviderServicer):  # type: ignore[misc]  # tf has no types
    """The calls of the plugin protocol, version 6, that OpenTofu makes for one resource type."""

    def __init__(self, app: object) -> None:
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        if self._api is None:
            raise ApiError("the provider is not configured")
        return self._api

    # about the provider

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        found = [pb.GetMetadata.ResourceMetadata(type_name=name) for name in RESOURCES]
        return pb.GetMetadata.Response(server_capabilities=pb.ServerCapabilities(), resources=found)

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        return pb.GetProviderSchema.Response(
            provider=pb.Schema(block=block(RECORDED["provider"])),
            resource_schemas={
                name: pb.Schema(version=kept["version"], block=block(kept["block"])) for name, kept in RESOURCES.items()
            },
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        config = load(request.config)
        url, token_id, token = (config[f"pm_api_{name}"] for name in ("url", "token_id", "token_secret"))
        self._api = Api(url, token_id, token, os.environ.get("SSL_CERT_FILE"), insecure=bool(config.get("pm_tls_insecure")))
        return pb.ConfigureProvider.Response()

    # about resources

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        return pb.ValidateResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        return _told(
            lambda: pb.ReadResource.Response(new_state=dump(self._seen(load(request.current_state)))),
            lambda told: pb.ReadResource.Response(new_state=request.current_state, diagnostics=told),
        )

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        prior, proposed = load(request.prior_state), load(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        recorded = RESOURCES[request.type_name]["block"]
        if prior is None:
            return pb.PlanResourceChange.Response(planned_state=dump(fill(recorded, proposed, lambda name: UNKNOWN)))
        made_anew = [name for name in ("vmid", "clone") if prior.get(name) != proposed.get(name)]
        return pb.PlanResourceChange.Response(
            planned_state=dump(proposed),
            requires_replace=[pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)]) for name in made_anew],
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: ANN401, N802
        prior, planned = load(request.prior_state), load(request.planned_state)

        def work() -> Any:  # noqa: ANN401
            if planned is None:
                self._delete(prior)
                return pb.ApplyResourceChange.Response(new_state=dump(None))
            if prior is None:
                self._create(planned)
            else:
                self._update(planned)
            made = fill(RESOURCES[request.type_name]["block"], planned, lambda name: None)
            return pb.ApplyResourceChange.Response(new_state=dump(self._seen(made)))

        return _told(work, lambda told: pb.ApplyResourceChange.Response(new_state=request.prior_state, diagnostics=told))

    # guests

    def _row(self, vmid: int) -> Values | None:
        return next((row for row in self.api.guests() if row["vmid"] == vmid), None)

    def _config(self, node: str, vmid: int) -> guest.Config:
        """With what the next start will change: that is what was asked for."""
        rows = self.api.call("GET", "nodes", node, "qemu", vmid, "pending")
        return {row["key"]: str(row.get("pending", row.get("value"))) for row in rows if not row.get("delete")}

    def _seen(self, kept: Values) -> Values | None:
        row = self._row(kept["vmid"])
        if row is None:
            return None
        config = self._config(row["node"], kept["vmid"])
        running = row["status"] == "running"
        address = self._address(row["node"], kept["vmid"]) if running else None
        return guest.seen(kept, config, node=row["node"], running=running, address=address)

    def _address(self, node: str, vmid: int) -> str | None:
        try:
            found = self.api.call("GET", "nodes", node, "qemu", vmid, "agent", "network-get-interfaces")
        except ApiError:
            return None  # no agent in it
        for card in found["result"]:
            for address in card.get("ip-addresses", ()):
                if address["ip-address-type"] == "ipv4" and not address["ip-address"].startswith("127."):
                    return str(address["ip-address"])
        return None

    def _create(self, planned: Values) -> None:
        node, vmid = planned["target_node"], planned["vmid"]
        if self._row(vmid) is not None:
            raise ApiError(f"guest {vmid} exists already")
        template = next((row for row in self.api.guests() if row["name"] == planned["clone"] and row.get("template")), None)
        if template is None:
            raise ApiError(f"there is no template {planned['clone']}")
        full = int(bool(planned.get("full_clone")))
        self.api.task(
            "POST", "nodes", template["node"], "qemu", template["vmid"], "clone",
            newid=vmid, name=planned["name"], full=full, target=node,
        )  # fmt: skip
        self._configure(planned)
        self._power(planned)

    def _update(self, planned: Values) -> None:
        self._configure(planned)
        node, vmid = planned["target_node"], planned["vmid"]
        rows = self.api.call("GET", "nodes", node, "qemu", vmid, "pending")
        if any("pending" in row or row.get("delete") for row in rows):
            if planned.get("automatic_reboot") is not False:
                raise ApiError("the QEMU guest needs to be rebooted for the changes to take effect")
            self.api.task("POST", "nodes", node, "qemu", vmid, "status", "reboot")
        self._power(planned)

    def _configure(self, planned: Values) -> None:
        node, vmid = planned["target_node"], planned["vmid"]
        at = ("nodes", node, "qemu", vmid)
        now = self._config(node, vmid)
        wanted = guest.settings(planned)
        differs = {key: value for key, value in wanted.items() if value and now.get(key) != value}
        changed = {key: value for key, value in differs.items() if not _same_card(key, value, now)}
        gone = [key for key, value in wanted.items() if not value and key in now]
        disks = {disk["slot"]: disk for disk in planned.get("disk") or ()}
        changed |= {slot: guest.new_drive(disk) for slot, disk in disks.items() if slot not in now}
        if planned.get("efidisk") and "efidisk0" not in now:
            changed["efidisk0"] = guest.new_efidisk(planned["efidisk"][0])
        if gone:
            changed["delete"] = ",".join(gone)
        if changed:
            self.api.call("PUT", *at, "config", **changed)
        for slot, disk in disks.items():
            told = guest.options(now.get(slot, ""))[1].get("size")
            if told and disk.get("size") and guest.size(disk["size"]) > guest.size(told):
                self.api.task("PUT", *at, "resize", disk=slot, size=disk["size"])

    def _power(self, planned: Values) -> None:
        wanted, vmid = planned.get("power_state") or "running", planned["vmid"]
        row = self._row(vmid)
        if row is not None and row["status"] != wanted and wanted in ("running", "stopped"):
            self.api.task("POST", "nodes", row["node"], "qemu", vmid, "status", "start" if wanted == "running" else "shutdown")
            self._until(vmid, wanted)

    def _until(self, vmid: int, wanted: str) -> None:
        until = time.monotonic() + STARTED
        while (row := self._row(vmid)) is not None and row["status"] != wanted:
            if time.monotonic() > until:
                raise ApiError(f"guest {vmid} is {row['status']}, not {wanted}")
            time.sleep(0.05)

    def _delete(self, prior: Values) -> None:
        row = self._row(prior["vmid"])
        if row is None:
            return
        at = ("nodes", row["node"], "qemu", prior["vmid"])
        if row["status"] == "running":
            self.api.task("POST", *at, "status", "stop")
            self._until(prior["vmid"], "stopped")
        self.api.task("DELETE", *at)


def _same_card(key: str, value: str, now: guest.Config) -> bool:
    """Whether a network card is as asked for, but for the address that Proxmox gave it."""
    if not key.startswith("net") or key not in now or "=" in value.split(",")[0]:
        return False
    first, more = guest.options(now[key])
    return (first.partition("=")[0], more) == guest.options(value)


if __name__ == "__main__":
    tf.provider.ProviderServicer = Servicer
    run_provider(object())
