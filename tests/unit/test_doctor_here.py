"""Doctor on this machine, the repository and its secrets: what it says when one thing is spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.domain.checkup import (
    FileState,
    Identity,
    Recipient,
    Rule,
    SopsProgram,
    Terminal,
)
from cockpit.domain.errors import Complaint, SecretError, SettingsError, UsageError
from cockpit.domain.files import Change, WorkStatus
from cockpit.domain.settings import CredentialSettings, UserSettings
from tests.unit.clinic import ADA, EXAMPLE, HOST_KEY, RECOVERY, Clinic, sealed
from tests.unit.spoilt import (
    FAIL,
    NOTE,
    OTHER,
    RULES,
    SKIPPED,
    WARN,
    WEB,
    Spoilt,
    both,
    edit,
    gone,
    put,
    says,
    without,
    write,
)


def _mistake(clinic: Clinic) -> None:
    clinic.settings = None
    clinic.trouble = SettingsError([Complaint("cockpit.yaml", 4, "hosts.alpha.adress", "is not known here", "", "address")])


SPOILT = (
    # this machine
    Spoilt("machine.git", without("git"), FAIL, "git is not installed", "nix profile install nixpkgs#git"),
    Spoilt("machine.git", says("git", "git version 2.11.0"), WARN, "git 2.11.0 is old"),
    Spoilt("machine.ssh", without("ssh"), WARN, "ssh is not installed"),
    Spoilt("machine.age", without("age"), NOTE, "age is not installed"),
    Spoilt("machine.nix", without("nix"), NOTE, "nix is not installed", "https://nixos.org/download"),
    Spoilt("machine.tofu", without("tofu"), WARN, "tofu is not installed"),
    Spoilt("machine.tailscale", without("tailscale"), NOTE, "tailscale is not installed"),
    Spoilt("machine.lazygit", without("lazygit"), NOTE, "lazygit is not installed"),
    Spoilt("machine.compose", without("docker-compose"), NOTE, "docker compose is not installed"),
    Spoilt("machine.python", lambda c: c.machine.libraries.update(textual="7.1.0"), FAIL, "textual 7.1.0"),
    Spoilt(
        "machine.terminal", lambda c: setattr(c.machine, "shown", Terminal(True, "linux", 8, "iso-8859-1")), NOTE, "iso-8859-1"
    ),
    Spoilt(
        "machine.ssh-key",
        lambda c: c.machine.files.update({"/home/ada/.ssh/id_ed25519": FileState(0o644)}),
        FAIL,
        "can be read by others",
        "chmod 600 /home/ada/.ssh/id_ed25519",
    ),
    Spoilt(
        "machine.ssh-key",
        both(lambda c: c.machine.files.clear(), lambda c: c.machine.variables.pop("SSH_AUTH_SOCK")),
        WARN,
        "no ssh key",
        "ssh-keygen -t ed25519",
    ),
    Spoilt("machine.settings", put("user", UserSettings(identity=Path("/gone"))), FAIL, "identity: names /gone"),
    # repository
    Spoilt("repository.settings", _mistake, FAIL, "hosts.alpha.adress: is not known here", "write 'address'", "cockpit.yaml:4"),
    Spoilt(
        "repository.git", lambda c: c.machine.files.pop("/homelab/.git"), FAIL, "is no git repository", "git -C /homelab init"
    ),
    Spoilt("repository.git", lambda c: c.machine.files.update({"/homelab/.git/shallow": FileState(0o644)}), FAIL, "is shallow"),
    Spoilt("repository.git", put("status", WorkStatus("main", head=False)), FAIL, "there is no commit yet"),
    Spoilt(
        "repository.git",
        put("status", WorkStatus("main", "origin/main", changes=(Change("a", "U", "U"),))),
        FAIL,
        "a merge that is not finished",
        "git add a",
        "a",
    ),
    Spoilt("repository.git", put("status", WorkStatus("main")), NOTE, "no upstream", "git push -u origin main"),
    Spoilt("repository.sources", lambda c: c.of_project(source="compose/wbe"), FAIL, "there is no compose/wbe"),
    Spoilt("repository.sources", write("compose/extra/compose.yaml", "services: {}"), NOTE, "compose/extra is no project"),
    # secrets
    Spoilt(
        "secrets.sops", lambda c: setattr(c.keyring, "sops", SecretError("no sops", "sops is not installed")), FAIL, "no sops"
    ),
    Spoilt(
        "secrets.sops",
        lambda c: setattr(c.keyring, "sops", SopsProgram("3.11.0", "/w", True)),
        NOTE,
        "sops 3.11.0, of the Python package",
    ),
    Spoilt("secrets.identity", lambda c: c.keyring.own.clear(), WARN, "no key to decrypt with", "age-keygen"),
    Spoilt(
        "secrets.identity",
        lambda c: c.keyring.own.append(Identity("/k", (OTHER,), 0o640)),
        FAIL,
        "/k can be read by others",
        "chmod 600 /k",
    ),
    Spoilt(
        "secrets.identity",
        lambda c: setattr(c.keyring, "own", [Identity("/k", (), 0o600, "it has a passphrase")]),
        WARN,
        "/k cannot be used",
    ),
    Spoilt(
        "secrets.example",
        write("secrets/alpha/b.yaml", sealed("b: 1", ADA, EXAMPLE)),  # also where its private half is gone from the tree
        FAIL,
        "these secrets are not yours yet",
        "make secrets",
    ),
    Spoilt(
        "secrets.example",
        both(
            write("secrets/alpha/b.yaml", sealed("b: 1", ADA, EXAMPLE)),
            lambda c: setattr(c.keyring, "error", UsageError("no rules")),
        ),
        FAIL,
        "these secrets are not yours yet",
    ),
    Spoilt(
        "secrets.example",
        write("secrets/example.agekey", f"# public key: {EXAMPLE}\n"),
        NOTE,
        "still in the tree",
        "git rm secrets/example.agekey",
    ),
    Spoilt("secrets.rules", lambda c: c.keyring.all.clear(), WARN, ".sops.yaml has no rule", "cockpit secrets new", RULES),
    Spoilt(
        "secrets.rules",
        lambda c: setattr(c.keyring, "all", [Rule("^secrets/", 3, (Recipient(ADA), Recipient(HOST_KEY)))]),
        WARN,
        "no recovery key",
        "",
        ".sops.yaml:3",
    ),
    Spoilt(
        "secrets.rules",
        lambda c: c.keyring.all.append(Rule("^more/", 11, (Recipient(ADA, "ada"),))),
        WARN,
        "a rule without the recovery key",
        "",
        ".sops.yaml:11",
    ),
    Spoilt(
        "secrets.rules",
        lambda c: setattr(c.keyring, "error", UsageError(".sops.yaml cannot be read", "no such file")),
        WARN,
        ".sops.yaml cannot be read",
    ),
    Spoilt(
        "secrets.drift",
        write(WEB, sealed("web:\n  token: s3cret\n", ADA, OTHER, HOST_KEY)),
        WARN,
        "recipients differ",
        f"sops updatekeys {WEB}",
        WEB,
    ),
    Spoilt(
        "secrets.hosts",
        write(WEB, sealed("web:\n  token: s3cret\n", ADA, RECOVERY)),
        FAIL,
        "not among its recipients",
        f"sops updatekeys {WEB}",
        WEB,
    ),
    Spoilt(
        "secrets.governed",
        write("secrets/alpha/plain.yaml", "password: hunter2\n"),
        FAIL,
        "plain text where a rule",
        "sops encrypt -i secrets/alpha/plain.yaml",
        "secrets/alpha/plain.yaml",
    ),
    Spoilt("secrets.governed", write("old/x.yaml", sealed("a: 1", ADA)), WARN, "no rule governs", "", "old/x.yaml"),
    Spoilt("secrets.opens", edit(WEB, "#plain", "#plan"), FAIL, f"{WEB} cannot be decrypted", "", WEB),
    Spoilt("secrets.opens", write("secrets/alpha/x.yaml", sealed("a: 1", OTHER)), NOTE, "1 file this machine cannot read"),
    Spoilt("secrets.opens", lambda c: c.keyring.own.clear(), SKIPPED, "no key of this machine"),
    Spoilt(
        "secrets.placeholders",
        write(WEB, sealed("web:\n  token: fill-in:from the provider\n", ADA)),
        WARN,
        "web.token is still a placeholder",
        f"sops edit {WEB}",
        WEB,
    ),
    Spoilt("secrets.named", gone(WEB), FAIL, f"web/token: there is no {WEB}"),
    Spoilt("secrets.named", write(WEB, sealed("web:\n  tokn: s3cret\n", ADA)), FAIL, f"{WEB} has no key web.token"),
    Spoilt(
        "secrets.named",
        lambda c: c.of_cluster(secret=CredentialSettings("secrets/gone.yaml", "x")),
        FAIL,
        "cluster home: there is no secrets/gone.yaml",
    ),
)


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda s: f"{s.check}: {s.what}")
async def test_what_is_spoilt_is_found(spoilt: Spoilt) -> None:
    await spoilt.is_found()
