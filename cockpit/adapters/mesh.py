"""What `tailscale status --json` says, as far as it is used. Its format may change: what is not there is empty."""

from __future__ import annotations

import json

from cockpit.adapters.outside import table
from cockpit.domain.checkup import MeshStatus
from cockpit.domain.text import plain


def status_from(text: str) -> MeshStatus | None:
    """None where it is no status."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("BackendState"), str):
        return None
    own, peers = table(data.get("Self")), table(data.get("Peer"))
    relayed = [
        address
        for peer in map(table, peers.values())
        if peer.get("Active") and not peer.get("CurAddr") and peer.get("Relay")
        for address in _words(peer.get("TailscaleIPs"))
    ]
    return MeshStatus(
        state=plain(data["BackendState"]),
        name=plain(str(own.get("DNSName") or own.get("HostName") or "")).rstrip("."),
        addresses=_words(own.get("TailscaleIPs")),
        key_expiry=plain(str(own.get("KeyExpiry") or "")),
        health=_words(data.get("Health")),
        relayed=tuple(relayed),
    )


def _words(data: object) -> tuple[str, ...]:
    return tuple(plain(str(word)) for word in data[:50]) if isinstance(data, list) else ()
