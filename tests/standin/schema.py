"""The recorded schema (`schema.json`), as the plugin protocol wants it, and values that follow it.

Recorded from telmate/proxmox 3.0.2-rc09: provider and `proxmox_vm_qemu`, without `disks`, `pcis` and `usbs`; types, and what is
required, optional or computed. Defaults and validations are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb

Values = dict[str, Any]
RECORDED: Values = json.loads((Path(__file__).parent / "schema.json").read_text())
RESOURCES: Values = RECORDED["resource_schemas"]
UNKNOWN = msgpack.ExtType(0, b"\0")
_NESTING = pb.Schema.NestedBlock.NestingMode


def block(recorded: Values) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(kept["type"]).encode(),
                **{key: kept.get(key, False) for key in ("required", "optional", "computed", "sensitive", "deprecated")},
            )
            for name, kept in sorted(recorded.get("attributes", {}).items())
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                nesting=_NESTING.Value(kept["nesting_mode"].upper()),
                min_items=kept.get("min_items", 0),
                max_items=kept.get("max_items", 0),
                block=block(kept["block"]),
            )
            for name, kept in sorted(recorded.get("block_types", {}).items())
        ],
    )


def load(value: pb.DynamicValue) -> Any:  # noqa: ANN401 - as the schema says
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, strict_map_key=False, ext_hook=lambda code, data: UNKNOWN)
    return json.loads(value.json or "null")


def dump(value: object) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def fill(recorded: Values, value: Values, made: Callable[[str], object]) -> Values:
    """Everything computed that has no value gets the one that `made` says."""
    out = dict(value)
    for name, kept in recorded.get("attributes", {}).items():
        if kept.get("computed") and (out.get(name) is None or out[name] == UNKNOWN):
            out[name] = made(name)
    for name, kept in recorded.get("block_types", {}).items():
        inner = out.get(name)
        if isinstance(inner, list):
            out[name] = [fill(kept["block"], one, made) for one in inner]
        elif isinstance(inner, dict):
            out[name] = fill(kept["block"], inner, made)
    return out
