"""~/.config/cockpit/config.yaml, and where a person's files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config.paths import audit_file, user_file
from cockpit.config.user import load_user
from cockpit.domain.errors import SettingsError, UsageError
from cockpit.domain.settings import Theme, UserSettings


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def complaints(path: Path) -> list[tuple[int, str, str, str, str]]:
    with pytest.raises(SettingsError) as caught:
        load_user(path)
    return [(c.line, c.key, c.what, c.expected, c.nearest) for c in caught.value.complaints]


def test_absent_and_empty_are_the_defaults(tmp_path: Path) -> None:
    assert load_user(tmp_path / "none.yaml") == UserSettings()
    for text in ("", "\n \n", "# nothing yet\n"):
        assert load_user(write(tmp_path, text)) == UserSettings()


def test_everything_that_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    text = "theme: contrast\nascii: true\nkeymap: {host.rollback: ctrl+b, app.quit: q}\nidentity: ~/age.txt\nwho: ada\n"
    found = load_user(write(tmp_path, text))
    assert (found.theme, found.ascii, found.who, found.identity) == (Theme.CONTRAST, True, "ada", tmp_path / "age.txt")
    assert dict(found.keymap) == {"host.rollback": "ctrl+b", "app.quit": "q"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("theem: dark\n", (1, "theem", "is not known here", "", "theme")),
        ("zzz: 1\n", (1, "zzz", "is not known here", "theme, ascii, keymap, identity, who, role", "")),
        ("theme: pink\n", (1, "theme", "is 'pink'", "dark, light, contrast", "")),
        ("theme: [dark]\n", (1, "theme", "is a list", "dark, light, contrast", "")),
        ("ascii: maybe\n", (1, "ascii", "is 'maybe'", "true or false", "")),
        ("keymap: q\n", (1, "keymap", "is no mapping", "binding id: key", "")),
        ("keymap:\n  app.quit:\n", (2, "keymap.app.quit", "is empty", "a key", "")),
        ("keymap:\n  app.quit: [q]\n", (2, "keymap.app.quit", "is a list", "a key", "")),
        ("who:\n", (1, "who", "is empty", "", "")),
        ("who: [a]\n", (1, "who", "is a list", "", "")),
        ("identity: ''\n", (1, "identity", "is empty", "", "")),
        ("- a\n", (1, "(file)", "is no mapping", "theme, ascii, keymap, identity, who, role", "")),
        ("who: a\nwho: b\n", (2, "who", "stands here twice", "each key once", "")),
    ],
)
def test_a_complaint_says_where_what_and_what_instead(
    tmp_path: Path, text: str, complaint: tuple[int, str, str, str, str]
) -> None:
    assert complaints(write(tmp_path, text)) == [complaint]


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    assert [c[:2] for c in complaints(write(tmp_path, "theme: pink\nascii: 3\nwhoo: x\n"))] == [
        (1, "theme"),
        (2, "ascii"),
        (3, "whoo"),
    ]


def test_syntax_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    ((line, key, *_),) = complaints(write(tmp_path, "theme: {dark\n"))
    assert (line, key) == (2, "(syntax)")
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load_user(tmp_path / "config.yaml")


def test_files_follow_the_base_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/ignored")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert user_file() == Path("/home/ada/.config/cockpit/config.yaml")
    assert audit_file() == Path("/home/ada/.local/state/cockpit/audit.jsonl")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert user_file() == tmp_path / "c/cockpit/config.yaml"
    assert audit_file() == tmp_path / "s/cockpit/audit.jsonl"
    (tmp_path / "c/cockpit").mkdir(parents=True)
    user_file().write_text("who: ada\n")
    assert load_user().who == "ada"
