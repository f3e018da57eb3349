"""~/.config/cockpit/config.yaml: theme, keymap, identity, role. Absent is fine."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from cockpit.config.paths import user_file
from cockpit.config.yaml import read
from cockpit.domain.errors import Complaint, SettingsError
from cockpit.domain.marked import Node
from cockpit.domain.settings import Role, Theme, UserSettings

KEYS = ("theme", "ascii", "keymap", "identity", "who", "role")


def load_user(path: Path | None = None) -> UserSettings:
    """Raises SettingsError with every complaint."""
    path = path or user_file()
    if not path.is_file():
        return UserSettings()
    complaints: list[Complaint] = []
    tree = read(path, complaints)
    if tree.kind == "null":
        return UserSettings()
    theme, ascii_, identity, who, role = Theme.DARK, False, None, None, Role.OPERATE
    keymap: dict[str, str] = {}
    if tree.kind != "map":
        raise SettingsError([Complaint(path.name, tree.line, "(file)", "is no mapping", ", ".join(KEYS))])
    for key, line, node in tree.pairs:
        if key not in KEYS:
            import difflib

            near = difflib.get_close_matches(key, KEYS, 1)
            complaints.append(
                Complaint(path.name, line, key, "is not known here", "" if near else ", ".join(KEYS), near[0] if near else "")
            )
        elif key == "theme":
            if node.value in {t.value for t in Theme}:
                theme = Theme(node.value)
            else:
                complaints.append(Complaint(path.name, line, key, _wrong(node), ", ".join(t.value for t in Theme)))
        elif key == "role":
            if node.value in {r.value for r in Role}:
                role = Role(node.value)
            else:
                complaints.append(Complaint(path.name, line, key, _wrong(node), ", ".join(r.value for r in Role)))
        elif key == "ascii":
            if node.kind == "boolean":
                ascii_ = (node.value or "").lower() in ("true", "yes", "on")
            else:
                complaints.append(Complaint(path.name, line, key, _wrong(node), "true or false"))
        elif key == "keymap":
            if node.kind != "map":
                complaints.append(Complaint(path.name, line, key, "is no mapping", "binding id: key"))
            for binding, at, value in node.pairs:
                if value.value:
                    keymap[binding] = value.value
                else:
                    complaints.append(Complaint(path.name, at, f"keymap.{binding}", _wrong(value), "a key"))
        elif not node.value:
            complaints.append(Complaint(path.name, line, key, _wrong(node)))
        elif key == "identity":
            identity = Path(node.value).expanduser()
        else:
            who = node.value
    if complaints:
        raise SettingsError(sorted(complaints, key=lambda c: c.line))
    return UserSettings(theme=theme, ascii=ascii_, keymap=MappingProxyType(keymap), identity=identity, who=who, role=role)


def _wrong(node: Node) -> str:
    if node.kind in ("map", "list"):
        return "is a mapping" if node.kind == "map" else "is a list"
    return f"is {node.value!r}" if node.value else "is empty"
