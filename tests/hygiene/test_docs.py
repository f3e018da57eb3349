"""The documentation: links lead somewhere, generated pages are fresh, the changelog has its form."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cockpit import __version__
from cockpit.domain.errors import WORST_FIRST, Exit
from scripts import generate
from scripts.paths import TOP, tracked

PAGES = [path for path in tracked() if path.suffix == ".md"]
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.S | re.M)
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
CATEGORIES = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def name(path: Path) -> str:
    return str(path.relative_to(TOP))


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    out: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", prose(path), re.M):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        anchor = base = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
        count = 0
        while anchor in out:
            count += 1
            anchor = f"{base}-{count}"
        out.add(anchor)
    return out


def broken(path: Path) -> list[str]:
    out = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(path))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists():
            out.append(f"{name(path)}: {link}: there is no such file")
        elif anchor and anchor not in anchors(file):
            out.append(f"{name(path)}: {link}: there is no such heading")
    return out


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[here](#one-heading) [gone](gone.md) [off](#off)\n```\n[code](x.md)\n```\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.hygiene.test_docs.TOP", tmp_path)
        assert [line.split(": ")[1] for line in broken(page)] == ["gone.md", "#off"]


def test_generated_pages_are_fresh() -> None:
    assert generate.stale() == [], "run `make docs`"


def test_changelog() -> None:
    text = (TOP / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.M)
    assert versions[0] == "[Unreleased]"
    for version in versions[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", version), version
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= set(CATEGORIES)
    body = text.split("## [Unreleased]", 1)[1]
    for line in body.splitlines():
        assert not line or line.startswith(("## ", "### ", "- ", "  ", "[")), f"not a heading, an item or a link: {line}"


def test_versions_agree() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "cockpit/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_operations_knows_every_exit_code() -> None:
    section = (TOP / "docs/operations.md").read_text().split("## Exit codes")[1].split("\n## ")[0]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.M)] == sorted(map(int, Exit))
    assert " ".join(str(int(code)) for code in WORST_FIRST) in section
