"""What plays the operator: the cockpit command on this machine, and oracles for what a host runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.lab.homelab import TOP, Homelab
from tests.lab.host import LabHost

TRANSACTION = "/run/current-system/sw/bin/cockpit-transaction"


@dataclass
class Done:
    code: int
    out: str

    def __contains__(self, text: str) -> bool:
        return text in self.out


@dataclass
class Controller:
    """`cockpit` in a homelab's repository, as one person on one machine."""

    host: LabHost
    homelab: Homelab
    name: str = "one"

    @property
    def environment(self) -> dict[str, str]:
        base = self.host.folder / self.name
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "XDG_", "SSH_", "COCKPIT_"))}
        return keep | {
            "HOME": str(self.host.home),
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_CONFIG_HOME": str(base / "config"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(TOP),  # the checkout that is tested, whatever is installed
        }

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "cockpit", *args]

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*args),
            cwd=self.homelab.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *args: str, timeout: float = 180) -> Done:
        process = self.start(*args)
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            raise AssertionError(f"cockpit {' '.join(args)} did not end:\n{out}") from None
        return Done(process.returncode, out)

    def deploy(self, *args: str) -> Done:
        return self.run("deploy", "--headless", "--yes", *args)

    def rollback(self, *args: str) -> Done:
        return self.run("rollback", "--headless", "--yes", *args)


@dataclass(frozen=True)
class World:
    """What a host runs, read past cockpit: containers by `project/service` as (image, container id, mounted content)."""

    running: str
    profile: str
    boot_default: str
    commit: str
    containers: dict[str, tuple[str, str]]
    db_password: str
    web_conf: str
    dockerd: str


def world(host: LabHost) -> World:
    """One reading, through the engine of this machine: it works without the host's network."""
    out = host.out(
        """
        readlink -f /run/current-system; readlink -f /nix/var/nix/profiles/system; cat /boot/loader/default
        /run/current-system/sw/bin/nixos-version --configuration-revision
        pidof dockerd
        docker exec paperless-db-1 cat /run/secrets/db-password 2>/dev/null || echo -n '?'; echo
        { docker exec paperless-web-1 cat /etc/app/web.conf 2>/dev/null || echo '?'; } | head -n 1
        docker ps -a --no-trunc --format '{{.Label "com.docker.compose.project"}}/{{.Label "com.docker.compose.service"}} {{.Image}} {{.ID}}'
        """
    ).splitlines()
    containers = {name: (image, container) for name, image, container in (line.split() for line in out[7:])}
    return World(out[0], out[1], out[2], out[3], containers, out[5], out[6], out[4])


def attempts(host: LabHost) -> list[dict[str, Any]]:
    """All attempts on the host's disk, oldest first."""
    found: list[dict[str, Any]] = json.loads(host.out(f"{TRANSACTION} state"))["attempts"]
    return found


def assert_whole(host: LabHost) -> World:
    """Exactly one release runs: system, profile, boot default, every container and secret; no attempt open; the lock is free."""
    found = world(host)
    assert found.running == found.profile == found.boot_default, found
    check = json.loads(host.out(f'{TRANSACTION} check <<<\'{{"run":"oracle00","closure":"{found.running}"}}\''))
    assert check["nothing_to_do"], {k: check[k] for k in ("services", "secrets", "problems")}
    assert all(s["change"] == "same" for s in check["secrets"]), check["secrets"]
    still_open = [a for a in attempts(host) if a["outcome"] is None]
    assert not still_open, still_open
    active = host.exec("systemctl is-active nixos-rebuild-switch-to-configuration.service", check=False).stdout.strip()
    assert active in ("inactive", "failed", "unknown"), active
    assert host.exec("ls /run/cockpit/holder.json", check=False).returncode != 0
    return found


def settle(host: LabHost, seconds: int = 180) -> None:
    """Until neither the transaction's unit nor a recovery is at work and nothing is open. Bounded; says what it waited for."""
    done = host.exec(
        f"""
        end=$((SECONDS + {seconds}))
        while [ $SECONDS -lt $end ]; do
          active=$(systemctl show -p ActiveState --value nixos-rebuild-switch-to-configuration.service cockpit-recover.service cockpit-converge.service | sort -u | tr -d '\\n')
          open=
          for d in /var/lib/cockpit/attempts/*/; do [ -e $d/intent.json ] && [ ! -e $d/outcome.json ] && open=$d; done
          # the request of a controller that died since is still carried out
          pgrep -f "[c]ockpit-transaction run" >/dev/null && active=starting
          case $active in *ing*) ;; *) [ -n "$open" ] || exit 0 ;; esac
          sleep 0.3
        done
        echo "unit: $active, open: $open"; journalctl -u nixos-rebuild-switch-to-configuration -u cockpit-recover -n 40 --no-pager; exit 1""",
        check=False,
        timeout=seconds + 30,
    )
    assert done.returncode == 0, done.stdout
    # an engine that was killed starts its containers again by their policy, also when no transaction is at work: not ours to prove
    host.exec(
        """
        for i in $(seq 150); do
          if ids=$(docker ps -aq) && ! docker inspect $ids --format '{{.HostConfig.RestartPolicy.Name}} {{.State.Status}}' | grep -vE '^no |^ | running$' | grep -q .; then exit 0; fi
          sleep 0.2
        done""",
        check=False,
        timeout=60,
    )
