"""A homelab as a hand-made pipeline has it: nixos/, containers/*/compose.yaml with .env.enc beside it, and a script that leaves
plain text and running containers on a host. What `cockpit adopt` is for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.homelab import IDLE, TOP, Homelab
from tests.lab.host import LabHost

TOKEN = "cf-token-of-the-old-days"
APP_KEY = "base64-of-many-bytes"

FLAKE = """\
# flake.nix
{
  description = "NixOS server";

  outputs = { self }: {
    nixosConfigurations.nixos = import ./lab/nixos.nix {
      modules = [
        ./hardware-configuration.nix
        ./configuration.nix
      ];
    };
  };
}
"""
CONFIGURATION = """\
# configuration.nix
{ config, pkgs, ... }:

{
  imports = [
    ./hardware-configuration.nix
  ];

  networking.hostName = "nixos";

  users.users.root.openssh.authorizedKeys.keys = [
    # laptop
    "%KEY%"
  ];

  services.openssh = {
    enable = true;
    settings.PermitRootLogin = "prohibit-password";
  };

  virtualisation.docker.enable = true;
  environment.etc."motd.txt".text = "welcome";
}
"""
WORKFLOW = """\
name: Deploy NixOS
on:
  push:
    paths: ["nixos/**", "containers/**"]
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          ssh -o StrictHostKeyChecking=no root@192.0.2.15 <<'EOF'
          rm -rf /etc/nixos/* && git clone https://example.org/homelab.git /tmp/homelab && cp -r /tmp/homelab/nixos/* /etc/nixos/
          nixos-rebuild switch
          rsync -a --delete /tmp/homelab/containers/ /opt/containers/
          EOF
"""
TOFU = """\
resource "proxmox_vm_qemu" "nixos" {
  name   = "nixos"
  vmid   = 105
  memory = 6144
}
"""
CHANGED = "entry points: web, websecure\n"


def _service(name: str, *, environment: str = "", volumes: str = "", image: str = "cockpit-lab/app:1") -> str:
    more = (f"    environment:\n{environment}" if environment else "") + (f"    volumes:\n{volumes}" if volumes else "")
    return f"""\
services:
  {name}:
    image: {image}
    container_name: {name}
    restart: unless-stopped
    command: ["sh", "-c", "{IDLE}"]
    networks:
      - proxy
{more}
networks:
  proxy:
    external: true
"""


@dataclass
class OldHomelab(Homelab):
    """`host` is the name of the flake's attribute."""

    key: str = ""

    def create(self) -> str:
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        shutil.copytree(TOP / "tests/lab/nix", self.path / "nixos/lab", dirs_exist_ok=True)
        self.write("nixos/flake.nix", FLAKE)
        self.write("nixos/configuration.nix", CONFIGURATION.replace("%KEY%", self.key))
        self.write("nixos/hardware-configuration.nix", '{ ... }:\n{\n  boot.loader.grub.device = "/dev/sda";\n}\n')
        self.write(".gitignore", "*.tfstate\n.env\n")
        self.write(".sops.yaml", f"creation_rules:\n  - path_regex: \\.env$\n    age: {self.host_key}\n")
        self.write(".github/workflows/deploy.yml", WORKFLOW)
        self.write("tofu/nixos.tf", TOFU)
        self.write(
            "containers/traefik/compose.yaml",
            _service(
                "traefik",
                environment="      - CF_DNS_API_TOKEN=${CF_DNS_API_TOKEN}\n      - CF_API_EMAIL=${CF_API_EMAIL}\n",
                volumes="      - /opt/containers/traefik/config/traefik.yaml:/etc/traefik/traefik.yaml:ro\n"
                "      - /opt/containers/traefik/config/dynamic:/etc/traefik/dynamic:ro\n"
                "      - /opt/containers/traefik/certs:/var/traefik/certs:rw\n",
            ),
        )
        self.write("containers/traefik/config/traefik.yaml", "entry points: web\n")
        self.env("traefik", f"CF_DNS_API_TOKEN={TOKEN}\nCF_API_EMAIL=you@example.org\n")
        self.write(
            "containers/homepage/compose.yaml",
            _service(
                "homepage",
                environment="      PUID: ${HOMEPAGE_PUID}\n",
                volumes="      - /opt/containers/homepage/config:/app/config\n",
            ),
        )
        self.write("containers/homepage/config/settings.yaml", "title: home\n")
        self.env("homepage", "HOMEPAGE_PUID=1000\n")
        self.write(
            "containers/gotify/compose.yaml",
            _service("gotify", environment="      - TZ=${TZ}\n", volumes="      - ./data:/app/data\n      - ./rules:/rules:ro\n"),
        )
        self.write("containers/gotify/rules/one.txt", "rule 1\n")
        self.env("gotify", "TZ=Europe/Berlin\n")
        self.write(
            "containers/uptime-kuma/compose.yaml",
            _service("uptime-kuma", volumes="      - kuma-data:/app/data\n") + "volumes:\n  kuma-data:\n",
        )
        return self.commit("homelab")

    def env(self, project: str, text: str) -> None:
        plain = f"containers/{project}/.env"
        self.encrypt(plain, text, "dotenv")  # the name that its rule goes by
        (self.path / plain).rename(self.path / f"{plain}.enc")

    def old_pipeline(self, host: LabHost) -> None:
        """What its workflow does on the host, as root: rebuild, copy, decrypt to the disk, `up` everything."""
        host.checkout(self, "/tmp/homelab-iac")
        host.exec(
            """set -e
            rm -rf /etc/nixos; mkdir -p /etc/nixos
            cp -r /tmp/homelab-iac/nixos/* /etc/nixos/
            top=$(nix build --no-link --print-out-paths 'path:/etc/nixos#nixosConfigurations.nixos.config.system.build.toplevel')
            nix-env -p /nix/var/nix/profiles/system --set "$top"
            [ -e /run/booted-system ] || ln -sfT "$top" /run/booted-system
            "$top/bin/switch-to-configuration" switch
            docker network inspect proxy >/dev/null 2>&1 || docker network create proxy >/dev/null
            mkdir -p /opt/containers
            cp -rT /tmp/homelab-iac/containers /opt/containers
            export SOPS_AGE_SSH_PRIVATE_KEY_FILE=/etc/ssh/ssh_host_ed25519_key
            for dir in /opt/containers/*; do
              if [ -f "$dir/.env.enc" ]; then
                sops decrypt --input-type dotenv --output-type dotenv "$dir/.env.enc" >"$dir/.env"
                docker compose -f "$dir/compose.yaml" --env-file "$dir/.env" up -d
              else
                docker compose -f "$dir/compose.yaml" up -d
              fi
            done
            rm -rf /tmp/homelab-iac""",
            timeout=300,
        )


def make(path: Path, host: LabHost) -> OldHomelab:
    """The repository, and the host as its pipeline left it, with data in volumes and folders."""
    made = OldHomelab(path, "nixos", host.address, host.host_key, key=host.key.with_suffix(".pub").read_text().strip())
    made.create()
    host.load_images("cockpit-lab/app:1", "cockpit-lab/app:2", "cockpit-lab/app:3")
    made.old_pipeline(host)
    host.exec(
        """set -e
        (umask 077; echo '{"account": "precious"}' >/opt/containers/traefik/certs/acme.json)
        docker exec homepage sh -c 'mkdir -p /app/config/logs && echo started >/app/config/logs/homepage.log'
        docker exec gotify sh -c 'echo messages >/app/data/gotify.db'
        docker exec uptime-kuma sh -c 'echo monitors >/app/data/kuma.db'"""
    )
    return made


def containers(host: LabHost) -> dict[str, str]:
    """Name of every container -> its id and when it started."""
    out = host.out("docker ps -aq --no-trunc | xargs -r docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}'")
    return {line.split()[0].lstrip("/"): line for line in out.splitlines()}
