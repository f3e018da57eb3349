"""Words of a new homelab: its README, what its git ignores, and the steps that come next."""

from __future__ import annotations

from msgspec import Struct

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


class Step(Struct, frozen=True):
    """Something that comes next."""

    what: str
    commands: tuple[str, ...]


def steps(answers: Answers, *, made_host_key: bool, tofu: bool) -> tuple[Step, ...]:
    """The three things that come next. ADDRESS in them is what the machine has before it is in the tailnet."""
    host = answers.host
    fill = Step("Fill in what is missing (sops edit FILE, then commit), and see what this machine lacks:", ("cockpit doctor",))
    ours = tofu and answers.proxmox is not None
    user = "admin" if ours else "root"
    if ours:
        apply = "tofu/with-secrets tofu init && tofu/with-secrets tofu apply"
        machine = Step("Make the machine, from an image of the host:", ("cockpit image upload --yes", apply))
    else:
        machine = Step(
            "Have a machine with NixOS, that lets root in by ssh and is in the tailnet, and see that it answers:",
            (f"ssh root@{answers.address} nixos-version",),
        )
    contact = [f"cockpit bootstrap {host}{' --user admin' if ours else ''} --yes --approve-host {host}"]
    if made_host_key:
        contact.insert(0, install_host_key(host, user, "ADDRESS" if ours else answers.address))
    if ours:
        # before the key changes: ssh has seen the old one at ADDRESS, and refuses another
        contact.insert(0, join(host, user))
    why = (
        "First contact. ssh shows the machine's present fingerprint: compare it with the machine's console."
        if made_host_key
        else "First contact:"
    )
    return fill, machine, Step(why, tuple(contact))


def install_host_key(host: str, user: str, address: str) -> str:
    """A command that makes the private key of the repository the host's own; it goes through a pipe alone."""
    script = (
        "cd /etc/ssh && umask 077 && cat >new && ssh-keygen -yf new >new.pub"
        " && mv new ssh_host_ed25519_key && mv new.pub ssh_host_ed25519_key.pub && systemctl restart sshd"
    )
    inside = f"'{script}'" if user == "root" else f"'sudo sh -c \"{script}\"'"
    return f"sops decrypt --extract '[\"{host}\"]' secrets/operator/host-keys.yaml | ssh {user}@{address} {inside}"


def join(host: str, user: str) -> str:
    """A command by which the machine joins the tailnet."""
    key = f'sops decrypt --extract \'["tailscale"]["auth-key"]\' secrets/{host}/system.yaml'
    return f"{key} | ssh {user}@ADDRESS 'sudo tailscale up --auth-key=file:/dev/stdin --hostname={host}'"


def readme(answers: Answers, first: tuple[Step, ...], tofu: bool) -> str:
    rows = [
        ("`cockpit.yaml`", "hosts, projects, which secret goes where, deadlines, health checks"),
        ("`nix/`", f"the hosts; `nix/hosts/{answers.host}/site.nix` says who gets in"),
        ("`compose/`", "one folder for each service"),
        ("`secrets/`, `.sops.yaml`", "encrypted values, and who can read them (`secrets/README.md`)"),
    ]
    if tofu:
        rows.append(("`tofu/`", "the virtual machines, and the tailnet's policy"))
    table = "\n".join(f"| {where} | {what} |" for where, what in rows)
    begin = "\n".join(
        f"{number}. {step.what}\n\n" + "".join(f"       {command}\n" for command in step.commands)
        for number, step in enumerate(first, 1)
    )
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

## Once

{begin}
## Secrets

Keep the repository private: what stands here in plain text is not secret, but it says what there is, and where.

The keys in `.sops.yaml` can read the secrets. The recovery key is kept offline, by you. Try it once a year; paste it into

```console
$ ({RECOVER})
```
"""
