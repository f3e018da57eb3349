"""Imports libraries without what cockpit never uses of them.

asyncssh: SFTP, SCP, X.509, UMAC and a search for liboqs, 40 % of its time. msgspec: typing_extensions, two thirds.
"""

from __future__ import annotations

import importlib
import sys
import typing
from types import ModuleType

_OPTIONAL = ("asyncssh.crypto.x509", "asyncssh.crypto.umac")
"""asyncssh does without these where they cannot be imported."""
_UNUSED = ("asyncssh.sftp", "asyncssh.scp")
"""asyncssh names what is in these, and calls it only for file transfers."""


class _Unused(ModuleType):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def load_msgspec() -> None:
    """Makes `import msgspec` cheap: what it takes from typing_extensions has been in typing since 3.11."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = typing
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


def load_asyncssh() -> None:
    """Makes `import asyncssh` cheap. Where that fails, asyncssh is imported whole: slower, and the same."""
    if "asyncssh" in sys.modules:
        return
    import ctypes.util

    find = ctypes.util.find_library
    placeholders: dict[str, ModuleType | None] = dict.fromkeys(_OPTIONAL)
    placeholders.update({name: _Unused(name) for name in _UNUSED})
    if "typing_extensions" not in sys.modules:
        placeholders["typing_extensions"] = typing  # what asyncssh takes from it has been there since 3.11
    sys.modules.update(placeholders)  # type: ignore[arg-type]  # None is how an import is made to fail
    ctypes.util.find_library = lambda name: None  # it would start ldconfig and a compiler
    try:
        importlib.import_module("asyncssh")
    except Exception:
        for name in [name for name in sys.modules if name == "asyncssh" or name.startswith("asyncssh.")]:
            del sys.modules[name]
    finally:
        ctypes.util.find_library = find
        for name, placeholder in placeholders.items():
            if name in sys.modules and sys.modules[name] is placeholder:
                del sys.modules[name]
    importlib.import_module("asyncssh")
