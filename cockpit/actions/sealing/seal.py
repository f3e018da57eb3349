"""Encrypting a whole set of secrets, and proving that everybody who should can open every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from cockpit.actions.sealing.makers import Values, document
from cockpit.actions.sealing.readers import Readers
from cockpit.domain.errors import Refused, SecretError
from cockpit.domain.secret import Secret
from cockpit.ports import SecretStore

T = TypeVar("T")
AT_ONCE = 4
OpenStore = Callable[[Secret | None], SecretStore]
"""A store over the tree that is being made, which opens with one key; None: with this machine's own."""


class Proof(Struct, frozen=True):
    """Whose key was tried on every file that it must open."""

    tried: tuple[str, ...]
    """`this machine`, `recovery`, names of hosts."""
    untried: tuple[str, ...]
    """The readers whose private halves are not here."""


async def seal(values: Values, readers: Readers, store: SecretStore) -> dict[str, bytes]:
    """Path in the repository -> encrypted file, by the rules that stand in the store's tree."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(file: str, keys: Mapping[str, Secret]) -> tuple[str, bytes]:
        path = f"secrets/{file}"
        async with gate:
            data = await store.encrypt(path, document(keys))
        wanted = set(readers.of(file.partition("/")[0]))
        if set(store.readers(path, data)) != wanted:
            raise SecretError(f"{path} is not encrypted for whom it should be", "the rules of .sops.yaml say otherwise")
        return path, data

    return dict(await _all(one(file, keys) for file, keys in values.files.items()))


async def prove(
    values: Values,
    sealed: Mapping[str, bytes],
    readers: Readers,
    privates: Mapping[str, Secret],
    open_store: OpenStore,
    mine: Secret | None = None,
) -> Proof:
    """Decrypts every file with every key that is here, and compares. `privates`: `recovery`, or a host's name -> private key.
    `mine` is an operator's key that this machine gets; without it, this machine's own are tried.

    Refused where this machine could no longer read its own homelab's secrets; SecretError where a key does not open what it must.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def opens(who: str, store: SecretStore, path: str) -> None:
        async with gate:
            got = await store.decrypt(path, sealed[path])
        wanted = document(values.files[path.removeprefix("secrets/")])
        if place := store.lost(path, wanted, got):
            raise SecretError(f"{path} does not say what was put into it", f"{place} differs, as {who} reads it")

    async def everything(who: str, store: SecretStore, folder: str | None) -> None:
        paths = [path for path in sealed if folder is None or path.startswith(f"secrets/{folder}/")]
        await _all(opens(who, store, path) for path in paths)

    try:
        await everything("this machine", open_store(mine), None)
    except SecretError as error:
        raise Refused(
            "this machine could not read the secrets",
            f"nothing was changed; {error.what}: {error.why}",
            "name a key of this machine: --operator-key, with its private half in ~/.config/sops/age/keys.txt",
        ) from None
    for who, private in privates.items():
        await everything(who, open_store(private), None if who == "recovery" else who)
    everybody = ("recovery", *readers.hosts)
    return Proof(("this machine", *privates), tuple(who for who in everybody if who not in privates))


async def _all(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give. None of them goes on when one has failed: it would work on a tree that is being cleared away."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
