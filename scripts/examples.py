"""Writes the examples in secrets/ after secrets/template.yaml, for the key that is public (secrets/example.agekey).

A file that has its template's keys is left alone; `--all` makes every value anew.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ruamel.yaml import YAML

from cockpit.actions.sealing.makers import document, make
from cockpit.adapters.keys import SystemKeys
from cockpit.adapters.sops import SopsStore
from cockpit.domain.errors import SecretError
from cockpit.domain.secret import Secret
from cockpit.domain.secret_template import TEMPLATE, Template, parse
from scripts.paths import TOP

KEY = TOP / "secrets/example.agekey"


def template() -> Template:
    return parse(YAML(typ="safe", pure=True).load(TOP / TEMPLATE))


def files() -> list[str]:
    """What lies below the folders of secrets/, as the template names it."""
    return sorted(path.relative_to(TOP / "secrets").as_posix() for path in (TOP / "secrets").glob("*/*"))


async def keys(path: str, plain: Secret | None = None) -> set[str]:
    """Dotted keys of an example; empty for what cannot be opened."""
    try:
        plain = plain or await SopsStore(TOP, KEY).decrypt(f"secrets/{path}", (TOP / "secrets" / path).read_bytes())
    except (OSError, SecretError):
        return set()
    return set(dotted(YAML(typ="safe", pure=True).load(plain.reveal().decode())))


def dotted(tree: object, at: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return [at]
    return [key for name, inner in tree.items() for key in dotted(inner, f"{at}.{name}" if at else str(name))]


async def write(everything: bool) -> list[str]:
    """The files that were written or taken away."""
    wanted = template()
    values = make(wanted, {}, {host: SystemKeys().ssh().private for host in wanted.hosts()})
    done = []
    for path in files():
        if path not in wanted.files:
            (TOP / "secrets" / path).unlink()
            done.append(path)
    for path, found in values.files.items():
        if everything or await keys(path) != set(found):
            target = Path(TOP, "secrets", path)
            target.parent.mkdir(exist_ok=True)
            data = await SopsStore(TOP, KEY).encrypt(f"secrets/{path}", document(found))
            await asyncio.to_thread(target.write_bytes, data)
            done.append(path)
    return done


if __name__ == "__main__":
    for name in asyncio.run(write("--all" in sys.argv[1:])):
        print(f"secrets/{name}")
