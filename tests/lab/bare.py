"""A lab host as an installer leaves it: a system without cockpit."""

from __future__ import annotations

from tests.lab.homelab import Homelab
from tests.lab.host import LabHost, run

BARE = """\
    nixosConfigurations.bare = import ./lab/nixos.nix {
      modules = [ { networking.hostName = "bare"; } ];
    };
"""


def add_bare(homelab: Homelab) -> None:
    """The system `bare` beside those of the flake; not committed."""
    homelab.edit("nix/flake.nix", "  outputs = { self }: {\n", "  outputs = { self }: {\n" + BARE)


def install_bare(host: LabHost, homelab: Homelab) -> None:
    """Builds `bare` of the last commit on the host, and switches to it; images of the lab's services are there."""
    bundle = host.folder / "repo.bundle"
    homelab.git("bundle", "create", "-q", str(bundle), "HEAD", "main")
    run("docker", "cp", "-q", str(bundle), f"{host.name}:/root/repo.bundle")
    host.load_images("cockpit-lab/app:1", "cockpit-lab/app:2")
    host.exec(
        """set -e
        git clone -q /root/repo.bundle /root/repo -b main
        top=$(nix build --no-link --print-out-paths 'git+file:///root/repo?dir=nix#nixosConfigurations.bare.config.system.build.toplevel')
        nix-env -p /nix/var/nix/profiles/system --set "$top"
        ln -sfT "$top" /run/booted-system
        "$top/bin/switch-to-configuration" switch
        rm -rf /root/repo /root/repo.bundle""",
        timeout=200,
    )
