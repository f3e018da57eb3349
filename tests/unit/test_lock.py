"""`cockpit lock` over a real work tree, with a registry in memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cockpit.actions.lock import Lock
from cockpit.adapters.compose_files import ComposeYaml
from cockpit.adapters.git.worktree import GitWorkTree
from cockpit.domain.errors import CockpitError, Conflict, Refused, Unreachable, UsageError
from cockpit.domain.images import Fit, Image, LockRow
from cockpit.domain.settings import ProjectSettings


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


class FakeRegistry:
    """Tags of repositories, with a digest each; what is asked of others fails."""

    def __init__(self) -> None:
        self.images: dict[str, dict[str, str]] = {}
        self.broken: dict[str, CockpitError] = {}
        self.sources: dict[str, str] = {}
        self.asked: list[str] = []

    def _look(self, image: Image) -> dict[str, str]:
        self.asked.append(image.tagged)
        if image.name in self.broken:
            raise self.broken[image.name]
        if image.name not in self.images:
            raise UsageError(f"no {image.name}")
        return self.images[image.name]

    async def digest(self, image: Image) -> str:
        found = self._look(image)
        if image.tag not in found:
            raise UsageError(f"no {image.tagged}")
        return found[image.tag]

    async def tags(self, image: Image) -> tuple[str, ...]:
        return tuple(self._look(image))

    async def source(self, image: Image, digest: str) -> str:
        self._look(image)
        return self.sources.get(image.name, "")


class Tree:
    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        self.registry = FakeRegistry()
        self.names: list[str] = []

    def project(self, name: str, text: str, file: str = "compose.yaml") -> Path:
        folder = self.root / "compose" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
        if name not in self.names:
            self.names.append(name)
        return folder

    def lock(self, *, observes: bool = False) -> Lock:
        projects = {name: ProjectSettings(name, f"compose/{name}", f"/x/{name}") for name in self.names}
        return Lock(projects, GitWorkTree(self.root), ComposeYaml(), self.registry, observes=observes)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path / "repo")
    made.registry.images = {
        "web": {"1.0": digest("a"), "1.1": digest("b"), "2.0": digest("c"), "1.1-alpine": digest("d")},
        "ghcr.io/x/db": {"17": digest("e"), "18": digest("f")},
    }
    made.project("app", "services:\n  web: {image: 'web:1.0'} # here\n  db:\n    image: ghcr.io/x/db:17\n    volumes: [d:/d]\n")
    return made


def brief(rows: tuple[LockRow, ...]) -> dict[str, tuple[str, str, str]]:
    return {row.image: (row.fit.value, row.new_tag, row.new_digest[7:8]) for row in rows}


async def test_a_lock_is_written_and_fits(tree: Tree) -> None:
    assert {row.fit for row in await tree.lock().check()} == {Fit.MISSING}
    written = await tree.lock().write()
    assert written.errors == () and written.changed == ("compose/app/compose.lock.yaml",)
    assert brief(written.rows) == {"web": ("locked", "1.0", "a"), "ghcr.io/x/db": ("locked", "17", "e")}
    assert {row.image: row.stateful for row in written.rows} == {"web": False, "ghcr.io/x/db": True}
    text = (tree.root / "compose/app/compose.lock.yaml").read_text()
    assert f"image: web:1.0@{digest('a')}" in text and f"image: ghcr.io/x/db:17@{digest('e')}" in text
    assert {row.fit for row in await tree.lock().check()} == {Fit.LOCKED}


async def test_the_same_lock_is_not_written_again(tree: Tree) -> None:
    await tree.lock().write()
    again = await tree.lock().write()
    assert again.changed == () and not any(row.moved for row in again.rows)


async def test_a_tag_that_moved_gets_its_new_digest(tree: Tree) -> None:
    await tree.lock().write()
    tree.registry.images["web"]["1.0"] = digest("9")
    written = await tree.lock().write()
    (row,) = [row for row in written.rows if row.moved]
    assert (row.image, row.old_tag, row.new_tag, row.old_digest, row.new_digest) == (
        "web",
        "1.0",
        "1.0",
        digest("a"),
        digest("9"),
    )


async def test_upgrade_moves_tags_of_the_same_form_and_edits_one_line(tree: Tree) -> None:
    await tree.lock().write()
    before = (tree.root / "compose/app/compose.yaml").read_text()
    written = await tree.lock().write(upgrade=True)
    assert written.changed == ("compose/app/compose.yaml", "compose/app/compose.lock.yaml")
    assert (tree.root / "compose/app/compose.yaml").read_text() == before.replace("web:1.0", "web:1.1")
    assert brief(written.rows) == {"web": ("locked", "1.1", "b"), "ghcr.io/x/db": ("locked", "17", "e")}
    assert {row.fit for row in await tree.lock().check()} == {Fit.LOCKED}


async def test_majors_only_when_asked(tree: Tree) -> None:
    written = await tree.lock().write(upgrade=True, majors=True)
    assert brief(written.rows) == {"web": ("locked", "2.0", "c"), "ghcr.io/x/db": ("locked", "18", "f")}


async def test_one_image_that_cannot_be_had_costs_only_itself(tree: Tree) -> None:
    await tree.lock().write()
    tree.registry.broken["web"] = Unreachable("down")
    tree.registry.images["ghcr.io/x/db"]["17"] = digest("7")
    written = await tree.lock().write(upgrade=True)
    assert [error.what for error in written.errors] == ["down"]
    text = (tree.root / "compose/app/compose.lock.yaml").read_text()
    assert f"web:1.0@{digest('a')}" in text and f"ghcr.io/x/db:17@{digest('7')}" in text


async def test_a_registry_that_is_away_is_one_error(tree: Tree) -> None:
    tree.registry.broken = {
        "web": Unreachable("it is away", "web:1.0: no connection", "is it?"),
        "ghcr.io/x/db": Unreachable("it is away", "db:17: no connection", "is it?"),
    }
    (error,) = (await tree.lock().write()).errors
    assert error.why.splitlines() == ["web:1.0: no connection", "db:17: no connection"] and error.hint == "is it?"


async def test_what_was_never_locked_is_left_out_where_it_cannot_be_had(tree: Tree) -> None:
    tree.registry.broken["web"] = Refused("an account is needed")
    written = await tree.lock().write()
    assert len(written.errors) == 1
    assert "web" not in (tree.root / "compose/app/compose.lock.yaml").read_text()
    assert {row.image: row.fit for row in await tree.lock().check()} == {"web": Fit.MISSING, "ghcr.io/x/db": Fit.LOCKED}


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("${REGISTRY}/web:1", "a variable"),
        ("web:$TAG", "a variable"),
        (f"web:1@{digest('a')}", "stands in the compose file"),
        ("Not An Image", "is no image"),
    ],
)
async def test_what_cannot_be_locked_is_told(tree: Tree, image: str, why: str) -> None:
    tree.project("odd", f"services:\n  a: {{image: '{image}'}}\n  b: {{build: .}}\n")
    rows = {row.services: row for row in await tree.lock().check(["odd"])}
    assert rows["a",].fit is Fit.OPEN and why in rows["a",].why
    assert rows["b",].why == "it has no image of its own"
    written = await tree.lock().write(["odd"])
    assert written.changed == () and tree.registry.asked == []


async def test_what_is_built_is_asked_of_no_registry(tree: Tree) -> None:
    tree.project("odd", "services: {a: {image: 'web:1.0', build: .}, b: {image: 'web:1.0'}}")
    tree.project("odd", "services: {b: {build: {context: .}}}", "compose.override.yaml")
    written = await tree.lock().write(["odd"])
    assert {row.why for row in written.rows} == {"its image is built"}
    assert written.changed == () and tree.registry.asked == []


@pytest.mark.parametrize("image", [f"web:1.0@{digest('b')}", "web:$TAG"])
async def test_a_lock_of_what_cannot_be_locked_is_stale_and_goes(tree: Tree, image: str) -> None:
    """compose would run what the lock says, not what stands in the compose file."""
    tree.project("one", "services: {a: {image: 'web:1.0'}}")
    await tree.lock().write(["one"])
    folder = tree.project("one", f"services: {{a: {{image: '{image}'}}}}")
    (row,) = await tree.lock().check(["one"])
    assert row.fit is Fit.STALE and f"the lock says web:1.0@{digest('a')}" in row.why
    assert (await tree.lock().write(["one"])).changed == ("compose/one/compose.lock.yaml",)
    assert "web" not in (folder / "compose.lock.yaml").read_text()
    assert [row.fit for row in await tree.lock().check(["one"])] == [Fit.OPEN]


async def test_a_lock_of_which_nothing_can_be_had_stays(tree: Tree) -> None:
    tree.project("one", "services: {a: {image: 'web:1.0'}}")
    tree.project("one", f"services: {{a: {{image: 'web:0.9@{digest('9')}'}}}}", "compose.lock.yaml")
    tree.registry.broken["web"] = Unreachable("down")
    assert (await tree.lock().write(["one"])).changed == ()


async def test_a_lock_that_somebody_wrote_into_is_not_overwritten(tree: Tree) -> None:
    text = f"services: {{web: {{image: 'web:1.0@{digest('a')}', user: '1'}}}}"
    folder = tree.project("app", text, "compose.lock.yaml")
    with pytest.raises(UsageError, match="more in it than images") as raised:
        await tree.lock().write()
    assert "web.user" in raised.value.why
    assert (folder / "compose.lock.yaml").read_text() == text


@pytest.mark.parametrize(
    ("lock", "fit"),
    [
        (f"web:1.0@{digest('a')}", Fit.LOCKED),
        (f"docker.io/library/web:1.0@{digest('a')}", Fit.STALE),
        (f"web:0.9@{digest('a')}", Fit.STALE),
        (f"other:1.0@{digest('a')}", Fit.STALE),
        ("web:1.0", Fit.STALE),
        ("web:1.0@sha256:12", Fit.STALE),
    ],
)
async def test_how_a_lock_fits(tree: Tree, lock: str, fit: Fit) -> None:
    tree.project("one", "services: {a: {image: 'web:1.0'}}")
    tree.project("one", f"services: {{a: {{image: '{lock}'}}}}", "compose.lock.yaml")
    assert [row.fit for row in await tree.lock().check(["one"])] == [fit]
    assert tree.registry.asked == []


async def test_a_service_that_is_gone_is_in_no_lock(tree: Tree) -> None:
    await tree.lock().write()
    tree.project("app", "services:\n  web: {image: 'web:1.0'}\n")
    rows = await tree.lock().check()
    assert {row.services: row.fit for row in rows} == {("web",): Fit.LOCKED, ("db",): Fit.STALE}
    await tree.lock().write()
    assert [row.fit for row in await tree.lock().check()] == [Fit.LOCKED]


async def test_an_override_says_the_image(tree: Tree) -> None:
    tree.project("app", "services: {web: {image: 'web:1.1'}}", "compose.override.yaml")
    written = await tree.lock().write()
    assert brief(written.rows)["web"] == ("locked", "1.1", "b")
    tree.registry.images["web"]["1.2"] = digest("2")
    written = await tree.lock().write(upgrade=True)
    assert written.changed == ("compose/app/compose.override.yaml", "compose/app/compose.lock.yaml")


async def test_one_question_for_an_image_that_many_have(tree: Tree) -> None:
    tree.project("two", "services: {a: {image: 'web:1.0'}, b: {image: 'web:1.0'}}")
    written = await tree.lock().write()
    assert tree.registry.asked.count("web:1.0") == 2  # the digest, and where its source is
    assert [row.services for row in written.rows if row.project == "two"] == [("a", "b")]


async def test_notes_from_the_image_itself(tree: Tree) -> None:
    tree.registry.sources["web"] = "https://github.com/me/web"
    written = await tree.lock().write()
    assert {row.image: row.notes for row in written.rows}["web"] == "https://github.com/me/web/releases"


async def test_a_file_that_changed_meanwhile_is_not_overwritten(tree: Tree) -> None:
    path = tree.root / "compose/app/compose.yaml"
    tags = tree.registry.tags

    async def and_somebody_writes(image: Image) -> tuple[str, ...]:
        path.write_text(path.read_text() + "# mine\n")
        return await tags(image)

    tree.registry.tags = and_somebody_writes  # type: ignore[method-assign]
    written = await tree.lock().write(upgrade=True)
    assert [type(error) for error in written.errors] == [Conflict]
    assert "# mine" in path.read_text() and not (path.parent / "compose.lock.yaml").exists()


async def test_whoever_only_observes_writes_nothing(tree: Tree) -> None:
    with pytest.raises(Refused):
        await tree.lock(observes=True).write()
    assert len(await tree.lock(observes=True).check()) == 2


async def test_a_project_that_is_not_there(tree: Tree) -> None:
    with pytest.raises(UsageError, match="no project"):
        await tree.lock().check(["nobody"])
    (tree.root / "compose/app/compose.yaml").unlink()
    with pytest.raises(UsageError, match=r"no compose\.yaml"):
        await tree.lock().check()
