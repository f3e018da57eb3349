"""The commands of README.md, as a person would type them: tests run each of them."""

from __future__ import annotations

import re

from scripts.paths import TOP

_BLOCK = re.compile(r"^```(?:console)?\n(.*?)^```$", re.M | re.S)


def commands() -> list[str]:
    """In order; without prompt and comment."""
    lines = [line for block in _BLOCK.findall((TOP / "README.md").read_text()) for line in block.splitlines()]
    return [re.sub(r"\s+#.*$", "", line.removeprefix("$ ")).strip() for line in lines if line.strip()]
