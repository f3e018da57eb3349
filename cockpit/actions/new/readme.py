"""Words of a new homelab: its README, what its git ignores, and the steps that come next."""

from __future__ import annotations

from cockpit.actions.new.answers import Answers

RECOVER = (
    "read -rs SOPS_AGE_KEY; export SOPS_AGE_KEY; HOME=/var/empty XDG_CONFIG_HOME= sops decrypt secrets/operator/passwords.yaml"
)
"""A command that reads a key from the terminal, and opens a file with it and no other."""
IGNORED = """\
/result
.terraform/
*.tfstate
*.tfstate.*
*.tfplan
crash.log
# plain text of secrets never lies here
*.dec.yaml
keys.txt
*.agekey
"""


def steps(answers: Answers, *, made_host_key: bool, tofu: bool) -> tuple[tuple[str, str], ...]:
    """(what, command) of the three things that come next."""
    fill = ("Fill in what is still missing, and see what else this machine lacks:", "cockpit doctor")
    if tofu and answers.proxmox is not None:
        machine = (
            "cockpit image build && cockpit image upload && (cd tofu && ./with-secrets tofu init && ./with-secrets tofu apply)"
        )
        make = ("Make the machine:", machine)
    elif made_host_key:
        make = ("Give the machine (NixOS, ssh for root) the host key that was made for it:", install_host_key(answers.host))
    else:
        make = ("Make sure that the host answers with the key that is pinned:", f"ssh-keyscan -t ed25519 {answers.address}")
    return (
        fill,
        make,
        (
            "First contact, then every later change:",
            f"cockpit bootstrap {answers.host} && cockpit deploy --yes --approve-host {answers.host}",
        ),
    )


def install_host_key(host: str, target: str = "") -> str:
    """A command that puts the private host key of the repository onto the host; it goes through a pipe alone."""
    return (
        f"sops decrypt --extract '[\"{host}\"]' secrets/operator/host-keys.yaml | ssh root@{target or host} "
        "'umask 077; cat >/etc/ssh/ssh_host_ed25519_key; ssh-keygen -yf /etc/ssh/ssh_host_ed25519_key"
        " >/etc/ssh/ssh_host_ed25519_key.pub; systemctl restart sshd'"
    )


def readme(answers: Answers, tofu: bool) -> str:
    rows = [
        ("`cockpit.yaml`", "hosts, projects, which secret goes where, deadlines, health checks"),
        ("`nix/`", f"the hosts; `nix/hosts/{answers.host}/site.nix` says who gets in"),
        ("`compose/`", "one folder for each service"),
        ("`secrets/`, `.sops.yaml`", "encrypted values, and who can read them (`secrets/README.md`)"),
    ]
    if tofu:
        rows.append(("`tofu/`", "the virtual machines, and the tailnet's policy"))
    table = "\n".join(f"| {where} | {what} |" for where, what in rows)
    return f"""# {answers.host}

A homelab as code, made by `cockpit init`.

| where | what |
|---|---|
{table}

```console
$ cockpit doctor        # what is missing, and how to mend it
$ cockpit               # the terminal UI
$ cockpit plan          # what a deploy would change
$ cockpit deploy --headless --yes --approve-host {answers.host}
```

Private: the files here are not secret in plain text, but they say where you live. Keep the repository private.

Who can read the secrets: the keys in `.sops.yaml`. The recovery key is kept offline, by you. Try it once a year: paste it into

```console
$ ({RECOVER})
```
"""
