"""Which files the rules of .sops.yaml name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RULES_MOST = 1024 * 1024
"""Bytes of .sops.yaml that are read."""


@dataclass
class Rules:
    """`file` is read again when it changes. A rule without a path is a default, and says of no file that it is a secret."""

    file: Path
    _stamp: tuple[int, int] | None = None
    _patterns: list[re.Pattern[str]] = field(default_factory=list)

    def names(self, path: str) -> bool:
        """Whether a rule with a path matches; the path is relative to the rules' folder."""
        self._refresh()
        return any(pattern.search(path) for pattern in self._patterns)

    def _refresh(self) -> None:
        try:
            found = self.file.stat()
        except OSError:
            self._stamp, self._patterns = None, []
            return
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._stamp, self._patterns = stamp, _patterns(self.file)


def _patterns(file: Path) -> list[re.Pattern[str]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded: Any = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return []
    rules = loaded.get("creation_rules") if isinstance(loaded, dict) else None
    out = []
    for rule in rules if isinstance(rules, list) else ():
        wanted = rule.get("path_regex") if isinstance(rule, dict) else None
        if isinstance(wanted, str) and wanted:
            try:
                out.append(re.compile(wanted))
            except re.error:
                # Go's syntax where it differs from Python's: sops decides when it encrypts
                continue
    return out
