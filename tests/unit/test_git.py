"""The homelab's repository, by real git in temporary folders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cockpit.adapters.git.repository import GitRepository
from cockpit.domain.errors import CockpitError, Refused, UsageError

NOBODY = "0" * 40
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


class Tree:
    """A work tree and its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str, stdin: bytes | None = None) -> str:
        argv = ["git", "-c", "protocol.file.allow=always", "-C", str(self.folder), *args]
        return subprocess.run(argv, check=True, capture_output=True, input=stdin).stdout.decode().strip()

    def write(self, name: str, text: str = "x\n") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message: str = "Start", **files: str) -> str:
        for name, text in files.items():
            self.write(name, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
        monkeypatch.setenv(f"GIT_{role}_DATE", "1763900000 +0000")
    (tmp_path / "lab").mkdir()
    return Tree(tmp_path / "lab")


async def collect(repository: GitRepository, commit: str, haves: list[str]) -> bytes:
    return b"".join([chunk async for chunk in repository.pack(commit, haves)])


async def test_tree_names_what_is_not_committed_byte_for_byte(tree: Tree) -> None:
    odd = 'a b\tc\u202e"q\n-é'
    head = tree.commit(**{odd: "1\n", "old name": "some longer text that is kept\n", "plain": "1\n", "staged": "1\n"})
    tree.write(odd, "2\n")
    tree.git("mv", "old name", "new name")
    tree.write("staged", "2\n")
    tree.git("add", "staged")
    tree.write("? new\nfile")
    tree.write("folder/1 x")
    state = await GitRepository(tree.folder).tree()
    assert sorted(state.modified) == sorted([odd, "new name", "staged"])
    assert sorted(state.untracked) == sorted(["? new\nfile", "folder/1 x"])
    assert state.branch == "main" and state.head is not None and state.head.sha == head
    assert (state.head.author, state.head.time, state.head.subject) == ("Ada", 1763900000.0, "Start")


async def test_tree_with_a_conflict_and_a_detached_head(tree: Tree) -> None:
    base = tree.commit(f="1\n")
    tree.git("checkout", "-q", "-b", "other")
    tree.commit(f="2\n")
    tree.git("checkout", "-q", "--detach", base)
    tree.commit(f="3\n")
    merged = subprocess.run(["git", "-C", str(tree.folder), "merge", "-q", "other"], capture_output=True, check=False)
    assert merged.returncode == 1
    state = await GitRepository(tree.folder).tree()
    assert (state.branch, state.modified, state.untracked) == (None, ("f",), ())


async def test_tree_ahead_behind_and_without_a_commit(tree: Tree, tmp_path: Path) -> None:
    state = await GitRepository(tree.folder).tree()
    assert (state.branch, state.head, state.ahead, state.behind) == ("main", None, 0, 0)
    tree.commit(f="1\n")
    subprocess.run(["git", "clone", "-q", str(tree.folder), str(tmp_path / "clone")], check=True)
    clone = GitRepository(tmp_path / "clone")
    tree.commit(f="2\n")
    tree.commit(f="3\n")
    mine = tmp_path / "clone"
    subprocess.run(["git", "-C", str(mine), "commit", "-q", "--allow-empty", "-m", "mine"], check=True)
    subprocess.run(["git", "-C", str(mine), "fetch", "-q"], check=True)
    state = await clone.tree()
    assert (state.ahead, state.behind) == (1, 2)


async def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(CockpitError, match="git status failed") as caught:
        await GitRepository(tmp_path).tree()
    assert str(tmp_path) in caught.value.hint


async def test_resolve(tree: Tree) -> None:
    first = tree.commit("First\n\nWith a body.\x1f", f="1\n")
    second = tree.commit("Second", f="2\n")
    tree.git("tag", "-a", "v1", "-m", "tag", first)
    repository = GitRepository(tree.folder)
    for revision, sha in (("HEAD", second), ("main", second), ("v1", first), ("HEAD~1", first), (first[:8], first)):
        assert (await repository.resolve(revision)).sha == sha
    found = await repository.resolve(first)
    assert found.subject == "First" and found.message.startswith("First\n\nWith a body.")
    blob = tree.git("rev-parse", "HEAD:f")
    for revision in ("", "-x", "--all", "nowhere", "a\nb", "a\0b", NOBODY, blob, "HEAD:f", "HEAD..main"):
        with pytest.raises(UsageError):
            await repository.resolve(revision)


async def test_shallow_clones_are_refused(tree: Tree, tmp_path: Path) -> None:
    tree.commit("1", f="1\n")
    head = tree.commit("2", f="2\n")
    await GitRepository(tree.folder).check_deployable(head, ["."])
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{tree.folder}", str(tmp_path / "c")], check=True)
    with pytest.raises(Refused, match="shallow") as caught:
        await GitRepository(tmp_path / "c").check_deployable(head, ["."])
    assert "--unshallow" in caught.value.hint


async def test_lfs_pointers_are_refused_under_the_folders_only(tree: Tree) -> None:
    head = tree.commit(**{"media/big film.mp4": POINTER, "nix/flake.nix": "x" * 150, "nix/about-lfs.txt": "v" + POINTER})
    repository = GitRepository(tree.folder)
    await repository.check_deployable(head, ["nix"])
    with pytest.raises(Refused, match=r"media/big film\.mp4 is a Git LFS pointer"):
        await repository.check_deployable(head, ["nix", "media"])


async def test_submodules_are_refused_under_the_folders_only(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    Tree(tmp_path / "other").commit(f="1\n")
    tree.write("nix/flake.nix")
    tree.git("submodule", "--quiet", "add", str(tmp_path / "other"), "compose/other")
    head = tree.commit()
    repository = GitRepository(tree.folder)
    await repository.check_deployable(head, ["nix"])
    with pytest.raises(Refused, match="compose/other is a submodule"):
        await repository.check_deployable(head, ["compose"])


async def test_log_and_ancestry_cope_with_commits_that_are_not_here(tree: Tree) -> None:
    first = tree.commit("One\n\nThis reverts commit abc.", f="1\n")
    second = tree.commit("Two", f="2\n")
    third = tree.commit("Three", f="3\n")
    repository = GitRepository(tree.folder)
    assert [c.sha for c in await repository.log(third)] == [third, second, first]
    assert [c.sha for c in await repository.log(third, [first, NOBODY, "nonsense"])] == [third, second]
    assert [c.sha for c in await repository.log(third, limit=1)] == [third]
    assert await repository.log(NOBODY) == ()
    assert (await repository.log(first))[0].message.splitlines()[-1] == "This reverts commit abc."
    for ancestor, descendant, expected in (
        (first, third, True),
        (third, first, False),
        (first, first, True),
        (NOBODY, third, False),
        (first, NOBODY, False),
    ):
        assert await repository.is_ancestor(ancestor, descendant) is expected
    assert await repository.known([second, NOBODY, first]) == (second, first)
    assert await repository.known([]) == ()


async def test_subjects(tree: Tree) -> None:
    first = tree.commit("One", f="1\n")
    second = tree.commit("Two \u202e[red]", f="2\n")
    repository = GitRepository(tree.folder)
    found = await repository.subjects([second, NOBODY, first, second])
    assert {sha: c.subject for sha, c in found.items()} == {first: "One", second: "Two \u202e[red]"}
    assert await repository.subjects([NOBODY]) == {} and await repository.subjects([]) == {}


async def test_read_and_tree_id(tree: Tree) -> None:
    head = tree.commit(**{"a/b c": "text\n"})
    repository = GitRepository(tree.folder)
    assert await repository.read(head, "a/b c") == b"text\n"
    assert await repository.tree_id(head, "a") == tree.git("rev-parse", "HEAD:a")
    assert await repository.tree_id(head, "none") is None and await repository.tree_id(NOBODY, "a") is None
    for commit, path in ((head, "none"), (head, "a"), (NOBODY, "a/b c")):
        with pytest.raises(UsageError, match="is not in commit"):
            await repository.read(commit, path)


async def test_files_at_the_top_of_a_folder(tree: Tree) -> None:
    head = tree.commit(**{"p/.env.enc": "x", "p/ö": "x", "p/sub/x": "x"})
    repository = GitRepository(tree.folder)
    assert await repository.files_in(head, "p/") == (".env.enc", "ö")
    assert await repository.files_in(head, "none") == await repository.files_in(NOBODY, "p") == ()


async def test_a_pack_is_what_the_other_side_lacks(tree: Tree, tmp_path: Path) -> None:
    text = "".join(f"line {i}\n" for i in range(5000))
    first = tree.commit("One", f=text)
    second = tree.commit("Two", f=text + "more\n")
    repository = GitRepository(tree.folder)
    bare = tmp_path / "repo.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)

    def unpack(pack: bytes) -> None:
        subprocess.run(
            ["git", "-C", str(bare), "index-pack", "--fix-thin", "--stdin"], input=pack, check=True, capture_output=True
        )

    whole = await collect(repository, first, [])
    unpack(whole)
    thin = await collect(repository, second, [first, NOBODY])
    assert len(thin) < len(whole) / 4
    unpack(thin)
    subprocess.run(["git", "-C", str(bare), "update-ref", "refs/cockpit/x", second], check=True)
    subprocess.run(["git", "-C", str(bare), "fsck", "--strict"], check=True, capture_output=True)
    with pytest.raises(CockpitError, match="git failed"):
        await collect(repository, NOBODY, [])


async def test_no_text_in_a_commit_can_pass_for_another_commit(tree: Tree) -> None:
    first = tree.commit("One", f="1\n")
    forged = f"{NOBODY}\x1fMallory\x1f1\x1fForged\x1fForged"
    second = tree.commit(f"Two \x1e\n\n\x1e\n{forged}\x1e\n", f="2\n")
    found = await GitRepository(tree.folder).log(second)
    assert [c.sha for c in found] == [second, first]
    assert found[0].author == "Ada" and forged in found[0].message


async def test_a_revision_is_never_an_option(tree: Tree, tmp_path: Path) -> None:
    head = tree.commit()
    repository = GitRepository(tree.folder)
    hostile = f"--output={tmp_path / 'written'}"
    assert await repository.log(hostile) == () and await repository.tree_id(hostile, "f") is None
    assert not await repository.is_ancestor(hostile, head) and not await repository.is_ancestor(head, "--all")
    assert await repository.known([hostile, f"x\n{head}", ""]) == ()
    for ask in (repository.read(hostile, "f"), repository.resolve(hostile), repository.resolve("^HEAD")):
        with pytest.raises(UsageError):
            await ask
    assert not (tmp_path / "written").exists()


async def test_the_environment_of_a_hook_leads_to_no_other_repository(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = tree.commit()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    state = await GitRepository(tree.folder).tree()
    assert state.head is not None and state.head.sha == head and state.modified == ()
