"""ports.doctor.CheckupHost over the host's SSH connection."""

from __future__ import annotations

import shlex
from pathlib import Path

from cockpit.adapters import tls
from cockpit.adapters.mesh import status_from
from cockpit.adapters.outside import table_in
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.checkup import Certificate, EngineCheckup, HostCheckup
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.text import plain

SCRIPT = Path(__file__).with_name("checkup.sh")
DEADLINE = 30.0
TLS = 8


class NixosCheckup:
    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh

    async def checkup(self) -> HostCheckup:
        answer = await self._ssh.exec("sh -s checkup", stdin=SCRIPT.read_bytes(), deadline=DEADLINE)
        return checkup_from(answer.out)

    async def certificate(self, name: str, address: str, port: int) -> Certificate:
        where = f"[{address}]" if ":" in address else address
        argv = (
            "curl", "-sk", "--max-time", str(TLS), "--resolve", f"{name}:{port}:{where}", "-o", "/dev/null",
            "-w", r"%{ssl_verify_result}\n%{certs}", f"https://{name}:{port}/",
        )  # fmt: skip
        command = f"PATH=/run/current-system/sw/bin:$PATH; {shlex.join(argv)}"
        answer = await self._ssh.exec(command, deadline=TLS + 10.0)
        code, _, text = answer.out.decode("utf-8", "replace").partition("\n")
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise Unreachable(f"{address}:{port} shows no certificate for {name}", f"curl on the host ended with {answer.code}")
        why = "" if code == "0" else f"OpenSSL on the host says {plain(code)[:10]}"
        return tls.certificate(text[text.index("-----BEGIN CERTIFICATE-----") :].encode(), why)


def checkup_from(out: bytes) -> HostCheckup:
    """From what checkup.sh printed. CockpitError where it is not that."""
    parts = out.decode("utf-8", "replace").split("\0")
    said = dict(zip(parts[::2], parts[1::2], strict=False))
    if said.get("checkup") != "1":
        raise CockpitError("the host cannot be looked over", "its shell did not run what it was asked", "ssh to it and try `sh`")
    sudo = said.get("sudo", "")
    return HostCheckup(
        user=plain(said.get("user", "")),
        groups=tuple(plain(said.get("groups", "")).split()),
        sudo=sudo == "yes",
        sudo_why=plain(sudo.removeprefix("no ").replace("\n", " ").strip()) if sudo != "yes" else "",
        programs=tuple(plain(line.rpartition("/")[2]) for line in said.get("programs", "").splitlines()),
        keys=tuple(" ".join(plain(line).split()[:2]) for line in said.get("keys", "").splitlines() if len(line.split()) > 1),
        inodes=tuple(_inodes(said.get("inodes", ""))),
        engine=_engine(said),
        mesh=status_from(said["mesh"]) if said.get("mesh") else None,
    )


def _inodes(text: str) -> list[tuple[str, float]]:
    """`df -Pi`: Filesystem Inodes IUsed IFree IUse% Mounted; file systems without inodes say `-` or 0."""
    found: dict[str, float] = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 6 and words[1].isdigit() and words[2].isdigit() and int(words[1]):
            found[plain(words[5])] = int(words[2]) / int(words[1])
    return list(found.items())


def _engine(said: dict[str, str]) -> EngineCheckup:
    version, info = table_in(said.get("engine_version", "")), table_in(said.get("engine_info", ""))
    if "ApiVersion" not in version:
        why = plain(str(version.get("message") or said.get("engine_version", ""))).strip()
        return EngineCheckup(why=why[:200] or "it says nothing")
    live = info.get("LiveRestoreEnabled")
    return EngineCheckup(
        plain(str(version.get("Version", ""))), plain(str(version["ApiVersion"])), live if isinstance(live, bool) else None
    )
