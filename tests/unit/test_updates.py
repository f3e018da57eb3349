"""What an update says: inputs of a flake, packages of a closure, the report for a pull request."""

from __future__ import annotations

import json
import re

import pytest

from cockpit.cli.upkeep_report import markdown
from cockpit.domain.closures import package_changes
from cockpit.domain.errors import Unreachable, UsageError
from cockpit.domain.images import Fit, LockRow
from cockpit.domain.plan import PackageChange
from cockpit.domain.updates import InputChange, SystemChange, UpdateReport, input_changes

OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40


def github(rev: str, repo: str = "nixpkgs", **more: str) -> dict[str, object]:
    return {"locked": {"type": "github", "owner": "NixOS", "repo": repo, "rev": rev, **more}, "inputs": {}}


def lock(**nodes: dict[str, object]) -> bytes:
    """Every node is an input of the root but those with `_` in front."""
    root = {"inputs": {name: name for name in nodes if not name.startswith("_")}}
    return json.dumps({"nodes": {"root": root, **nodes}, "root": "root", "version": 7}).encode()


def test_an_input_that_moved() -> None:
    (change,) = input_changes("nix", lock(nixpkgs=github(OLD)), lock(nixpkgs=github(NEW)))
    assert change == InputChange("nix", "nixpkgs", OLD, NEW, f"https://github.com/NixOS/nixpkgs/compare/{OLD}...{NEW}")
    assert input_changes("nix", lock(nixpkgs=github(OLD)), lock(nixpkgs=github(OLD))) == ()


def test_inputs_that_come_and_go() -> None:
    changes = input_changes("nix", lock(a=github(OLD)), lock(b=github(NEW)))
    assert [(c.name, c.old, c.new, c.url) for c in changes] == [("a", OLD, "", ""), ("b", "", NEW, "")]
    assert [c.new for c in input_changes("nix", None, lock(a=github(OLD)))] == [OLD]


def test_inputs_of_inputs() -> None:
    def with_inner(rev: str) -> bytes:
        sops = github(OLD, "sops-nix") | {"inputs": {"nixpkgs": "_inner", "followed": ["nixpkgs"]}}
        return lock(**{"sops-nix": sops, "nixpkgs": github(OLD), "_inner": github(rev)})

    (change,) = input_changes("nix", with_inner(OLD), with_inner(NEW))
    assert (change.name, change.new) == ("sops-nix/nixpkgs", NEW)


@pytest.mark.parametrize(
    ("locked", "url"),
    [
        ({"type": "gitlab", "owner": "a", "repo": "b"}, f"https://gitlab.com/a/b/-/compare/{OLD}...{NEW}"),
        (
            {"type": "github", "owner": "a", "repo": "b", "host": "git.example.org"},
            f"https://git.example.org/a/b/compare/{OLD}...{NEW}",
        ),
        ({"type": "git", "url": "https://x.org/y"}, ""),
        ({"type": "github", "owner": "a)](javascript:x", "repo": "b"}, ""),
        ({"type": "github", "owner": "a", "repo": "b/../../c"}, ""),
    ],
)
def test_links_are_made_of_what_is_surely_a_page(locked: dict[str, str], url: str) -> None:
    inner: list[dict[str, object]] = [{"locked": {**locked, "rev": rev}} for rev in (OLD, NEW)]
    before, after = (lock(x=one) for one in inner)
    (change,) = input_changes("nix", before, after)
    assert change.url == url


def test_a_fork_is_not_compared() -> None:
    (change,) = input_changes("nix", lock(x=github(OLD)), lock(x=github(NEW, "other")))
    assert change.url == ""


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"nodes": {"root": {"inputs": {"a": "gone"}}}, "root": "root"}', b"\xff", b"[" * 100000]
)
def test_what_is_no_lock(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"flake\.lock is no lock"):
        input_changes("nix", None, data)


def test_a_lock_that_goes_in_circles_ends() -> None:
    node: dict[str, object] = {"locked": {"rev": OLD}, "inputs": {"again": "x"}}
    assert len(input_changes("nix", None, lock(x=node))) <= 30


def test_packages_of_closures() -> None:
    def paths(*names: str) -> list[str]:
        return [f"/nix/store/{'0' * 32}-{name}" for name in names]

    changes = package_changes(
        paths("bash-5.2", "gone-1", "glibc-2.39", "glibc-2.40"), paths("bash-5.3", "new-1", "glibc-2.40", "noversion")
    )
    assert changes == [
        PackageChange("bash", "5.2", "5.3"), PackageChange("glibc", "2.39, 2.40", "2.40"), PackageChange("gone", "1", None),
        PackageChange("new", None, "1"), PackageChange("noversion", None, "–"),
    ]  # fmt: skip


# ---- the report ------------------------------------------------------------------------------------------------------


def row(**more: object) -> LockRow:
    values: dict[str, object] = {
        "project": "app", "services": ("web",), "image": "ghcr.io/a/web", "fit": Fit.LOCKED, "old_tag": "v1.0.0",
        "new_tag": "v1.1.0",
        "old_digest": "sha256:" + "1" * 64, "new_digest": "sha256:" + "2" * 64, "notes": "https://github.com/a/web/releases",
    }  # fmt: skip
    return LockRow(**(values | more))  # type: ignore[arg-type]


def system(**more: object) -> SystemChange:
    values: dict[str, object] = {
        "host": "homelab", "old": "/nix/store/a", "new": "/nix/store/b", "packages": (PackageChange("bash", "5.2", "5.3"),),
        "units": ("sshd.service",),
    }  # fmt: skip
    return SystemChange(**(values | more))  # type: ignore[arg-type]


def test_a_report_of_everything() -> None:
    report = UpdateReport(
        inputs=input_changes("nix", lock(nixpkgs=github(OLD)), lock(nixpkgs=github(NEW))),
        images=(row(), row(image="db", old_tag="17.1", new_tag="18.0", stateful=True, notes="")),
        systems=(system(reboot=("6.12.1", "6.12.9")),),
        files=("nix/flake.lock",),
        errors=(Unreachable("registry.example does not answer", "a: no connection\nb: no connection"),),
    )
    text = markdown(report)
    assert "| nixpkgs (nix) | `aaaaaaaaaaaa` | `bbbbbbbbbbbb` | [compare](https://github.com/NixOS/nixpkgs/compare/" in text
    assert "`v1.0.0 111111111111` | `v1.1.0 222222222222` |  | [release notes](https://github.com/a/web/releases) |" in text
    assert "- **reboot**: homelab has another kernel (6.12.1 → 6.12.9)" in text
    assert "- **keeps data**: db in app" in text and "- **first number**: db 17.1 → 18.0" in text
    assert "| bash | `5.2` | `5.3` |" in text and "- `sshd.service`" in text
    assert "- registry.example does not answer: a: no connection; b: no connection" in text
    assert report.reboots == ("homelab",)


def test_a_report_of_nothing() -> None:
    assert "Nothing." in markdown(UpdateReport())
    assert "The same packages and units." in markdown(UpdateReport(systems=(system(packages=(), units=()),)))


def test_outside_text_makes_no_markup() -> None:
    evil = "a|b](https://evil.example) <img src=x> `x` @team #1 \x1b[2J\u202e"
    text = markdown(
        UpdateReport(
            inputs=(InputChange(evil, evil, evil, evil, "https://evil.example/) [x](y"),),
            images=(row(project=evil, image=evil, old_tag=evil, new_tag=evil + "2", notes="javascript:alert(1)", stateful=True),),
            systems=(system(host=evil, packages=(PackageChange(evil, evil, evil),), units=(evil,), reboot=(evil, evil)),),
            errors=(UsageError(evil, evil),),
        )
    )
    outside_code = re.sub(r"`[^`\n]*`", "", text.replace("\\`", "'"))
    assert "<img" not in outside_code and not re.search(r"(?<!\\)\]\(", outside_code)
    assert "\x1b" not in text and "\u202e" not in text
    assert not re.search(r"(?<!\\)[@#]\w", re.sub(r"^#+ ", "", outside_code, flags=re.M))
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 5, 7), line


def test_much_is_folded_and_too_much_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(PackageChange(f"package{n}", "1", "2") for n in range(100))
    text = markdown(UpdateReport(systems=(system(packages=many),)))
    assert "<details><summary>100 packages</summary>" in text and text.count("</details>") == 1
    monkeypatch.setattr("cockpit.cli.github.MOST", 500)
    assert len(markdown(UpdateReport(systems=(system(packages=many),)))) < 600
