"""`python -m tests.lab demo|up|down`: a lab host to look at, with a homelab deployed on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab.controller import Controller
from tests.lab.engine import Engine, missing
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost, run

NAME = "homelab"
NUMBER = 10


def up(name: str = NAME) -> Controller:
    """A host with two generations and a commit that waits to be deployed."""
    host = LabHost.create(name, NUMBER)
    homelab = Homelab(Path(tempfile.mkdtemp(prefix="cockpit-demo-")) / "homelab", name, host.address, host.host_key)
    homelab.create()
    print(f"{name}: generation 1", flush=True)
    host.install(homelab)
    controller = Controller(host, homelab)
    for subject, old, new in (
        ("traefik: two routers", "routers: 1", "routers: 2"),
        ("traefik: three routers", "routers: 2", "routers: 3"),
    ):
        homelab.edit("compose/core/conf/dynamic.txt", old, new)
        homelab.encrypt(f"secrets/{name}/paperless.yaml", f"paperless:\n  db-password: {new.replace(': ', '-')}\n")
        homelab.commit(subject)
        print(f"{name}: deploys {subject}", flush=True)
        done = controller.deploy()
        if done.code != 0:
            raise SystemExit(done.out)
    homelab.edit("compose/core/conf/dynamic.txt", "routers: 3", "routers: 4")
    homelab.commit("traefik: four routers")
    return controller


def main() -> int:
    what = sys.argv[1] if len(sys.argv) > 1 else "demo"
    why = missing()
    if why:
        print(f"{why}: the demo is a real host in a container, on root Debian with docker.io and debootstrap", file=sys.stderr)
        return 2
    engine = Engine()
    engine.start()
    if what == "down":
        run("docker", "rm", "-f", "-v", NAME, check=False)
        engine.stop()
        return 0
    controller = up()
    if what == "up":
        print(f"cd {controller.homelab.path}; HOME={controller.host.home} {sys.executable} -m cockpit")
        return 0
    try:
        return subprocess.run(
            controller.argv(), cwd=controller.homelab.path, env=os.environ | controller.environment, check=False
        ).returncode
    finally:
        controller.host.remove()
        engine.stop()


if __name__ == "__main__":
    sys.exit(main())
