"""The examples in secrets/: everybody opens them, they have what the template says, and each has the rule that it should have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters.sops import status_of
from cockpit.domain.keys import EXAMPLE
from cockpit.domain.secret_template import OPERATOR, Template
from scripts import examples
from scripts.paths import TOP
from tests.contract.new_homelab import decrypt, dotted, new_key, secrets, yaml

KEY = TOP / "secrets/example.agekey"
FILES = secrets(TOP)


def template() -> Template:
    return examples.template()


def rules() -> list[dict[str, Any]]:
    return list(yaml(TOP / ".sops.yaml")["creation_rules"])


def test_the_key_is_the_one_that_the_program_warns_of() -> None:
    lines = KEY.read_text().splitlines()
    assert f"# public key: {EXAMPLE}" in lines
    assert subprocess.run(["age-keygen", "-y", str(KEY)], capture_output=True, text=True, check=True).stdout.strip() == EXAMPLE
    assert lines[0].startswith("# NOT A SECRET")


def test_every_file_of_the_template_is_there_and_no_other() -> None:
    assert [f"{path.parent.name}/{path.name}" for path in FILES] == sorted(template().files)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_opens_and_has_exactly_the_template_s_keys(path: Path) -> None:
    found = decrypt(path, KEY)
    assert found is not None
    assert dotted(found) == set(template().files[f"{path.parent.name}/{path.name}"]), "run python -m scripts.examples"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_other_key_opens_it(path: Path, tmp_path: Path) -> None:
    assert decrypt(path, new_key(tmp_path, "other.txt")[0]) is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_first_rule_that_matches_is_that_of_its_folder(path: Path) -> None:
    name = path.relative_to(TOP).as_posix()
    matching = [rule for rule in rules() if re.search(rule["path_regex"], name)]
    assert [rule["path_regex"] for rule in matching] == [rf"^secrets/{path.parent.name}/[^/]+\.yaml$"]
    readers = [key for group in matching[0]["key_groups"] for key in group["age"]]
    assert sorted(status_of(name, path.read_bytes()).recipients) == sorted(readers) == [EXAMPLE]


def test_each_folder_has_a_rule_and_no_host_s_rule_names_the_operators_files() -> None:
    folders = [*template().hosts(), OPERATOR]
    assert len(rules()) == len(folders)
    for rule, folder in zip(rules(), folders, strict=True):
        found = [other for other in folders if re.search(rule["path_regex"], f"secrets/{other}/x.yaml")]
        assert found == [folder]
    assert not any(re.search(rule["path_regex"], f"secrets/{name}") for rule in rules() for name in ("template.yaml", KEY.name))


def test_every_host_of_the_template_is_a_host() -> None:
    assert list(template().hosts()) == list(yaml(TOP / "cockpit.yaml")["hosts"])


def test_every_secret_of_the_settings_is_in_the_template() -> None:
    for name, project in yaml(TOP / "cockpit.yaml")["projects"].items():
        for secret in project.get("secrets", {}).values():
            keys = template().files.get(secret["file"].removeprefix("secrets/"), {})
            assert secret.get("key", next(iter(keys), "")) in keys, f"{name}: {secret}"


def test_the_readme_names_every_key() -> None:
    text = (TOP / "secrets/README.md").read_text()
    for file, keys in template().files.items():
        assert f"`{file}`" in text
        for key in keys if file != "operator/host-keys.yaml" else ():
            assert f"`{key}`" in text, f"{file} {key}"
