"""A fake Proxmox VE cluster with many guests: `python -m bench.hypervisor COUNT`, until its standard input ends.

It prints the lines of cockpit.yaml that lead to it; the token is in the environment variable that they name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.pairs import Failed

VARIABLE = "BENCH_PVE_SECRET"
NODES = 4
TOP = Path(__file__).resolve().parents[1]


def main(count: int) -> int:
    from tests.contract.pve import TOKEN_ID, serving

    with tempfile.TemporaryDirectory(prefix="cockpit-bench-pve-") as folder, serving(Path(folder)) as served:
        for number in range(2, NODES + 1):
            served.pve.add_node(f"pve{number}")
        for number in range(count):
            served.pve.add_vm(
                100 + number,
                f"guest-{number:04}",
                node=f"pve{number % NODES + 1}",
                status="running" if number % 3 else "stopped",
                config={"memory": 2048, "cores": 2, "scsi0": f"local-lvm:vm-{100 + number}-disk-0,size=32G", "tags": "bench"},
            )
            if (guest := served.pve.guest(100 + number)) is not None and guest.started_at:
                guest.started_at -= (number % 60 + 1) * 86400  # what has just been started changes its age all the time
        lines = (
            "clusters:", "  bench:", f"    addresses: [{served.address!r}]", f"    user: {TOKEN_ID}",
            f"    secret: {{env: {VARIABLE}}}", f"    fingerprint: {served.fingerprint!r}",
        )  # fmt: skip
        print("\n".join(lines), end="\n\n", flush=True)
        sys.stdin.read()
    return 0


@contextmanager
def hypervisor(count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """In a process of its own: the lines of cockpit.yaml, and the environment with the token."""
    from tests.contract.pve import TOKEN

    argv = [sys.executable, "-m", "bench.hypervisor", str(count)]
    with subprocess.Popen(argv, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        try:
            while process.stdout and (line := process.stdout.readline()).strip():
                lines.append(line)
            if not lines:
                raise Failed("the fake cluster did not start")
            yield "".join(lines), {**os.environ, VARIABLE: TOKEN}
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(30)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
