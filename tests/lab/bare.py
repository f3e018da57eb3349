"""A lab host as an installer leaves it: a system without cockpit."""

from __future__ import annotations

from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

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
    host.load_images("cockpit-lab/app:1", "cockpit-lab/app:2")
    host.rebuild(homelab, "bare")
    host.exec("rm -rf /root/checkout")
