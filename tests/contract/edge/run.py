"""Starts it: flags, files and environment are those of compose/traefik; what differs stands in CHANGED and ADDED."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.paths import TOP
from tests.contract.edge.engine import Engine
from tests.contract.edge.names import NameServer, Zone, cloudflare
from tests.gobin import PEBBLE, program

DOMAIN = "home.example.org"
PASSWORD = "a password for the dashboard"
TOKEN = "the-cloudflare-token"
BIN = Path(sys.executable).parent
CHANGED = {
    "--entrypoints.ping.address",
    "--entrypoints.web.address",
    "--entrypoints.websecure.address",
    "--providers.docker.endpoint",
    "--providers.file.directory",
    "--certificatesresolvers.letsencrypt.acme.storage",
    "--certificatesresolvers.letsencrypt.acme.dnschallenge.resolvers",
}
"""Addresses and paths of the machine. The values are others, what they mean is the same."""
ADDED = {
    # Let's Encrypt's own test authority instead of Let's Encrypt
    "--certificatesresolvers.letsencrypt.acme.caserver",
    # its name server is asked at port 53 of its own address, which is nobody's here; the authority itself still looks
    "--certificatesresolvers.letsencrypt.acme.dnschallenge.propagation.disablechecks",
}


@dataclass
class Edge:
    """A running Traefik."""

    engine: Engine
    zone: Zone
    web: int
    websecure: int
    ping: int
    flags: list[str]
    original: list[str]
    log: Path
    issuer: str
    """The root certificate that browsers would trust."""
    process: subprocess.Popen[bytes]

    def tls(self, verify: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.issuer)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def composed(project: str) -> dict[str, Any]:
    folder = TOP / "compose" / project
    argv = [str(BIN / "docker-compose"), "--project-directory", str(folder), "-f", str(folder / "compose.yaml")]
    done = subprocess.run([*argv, "config", "--format", "json"], capture_output=True, text=True, check=True)
    # dollar signs are doubled in what it prints
    return dict(json.loads(done.stdout.replace("$$", "$"))["services"])


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def wait(what: str, seconds: float, process: subprocess.Popen[bytes], done: Any) -> None:  # noqa: ANN401
    """Until `done` says so, while the process lives."""
    deadline = time.monotonic() + seconds
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s, or it ended ({process.poll()})")
        time.sleep(0.05)


def listening(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) of the authority's own address, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "acme.pem").write_bytes(made.public_bytes(pem))
    (folder / "acme.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "acme.pem", folder / "acme.key"


@contextmanager
def running(argv: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=os.environ | env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def authority(folder: Path, names: NameServer) -> Iterator[tuple[str, str, Path]]:
    """(directory URL, root certificate of what it issues, certificate of itself)."""
    own, key = certificate(folder)
    port, management = free_port(), free_port()
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(own),
        "privateKey": str(key),
        "httpPort": 1,
        "tlsPort": 1,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "keyAlgorithm": "ecdsa",
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    argv = [str(program(PEBBLE)), "-config", str(folder / "pebble.json"), "-dnsserver", names.address, "-strict"]
    with running(argv, folder / "pebble.log", {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}) as process:
        wait("pebble", 20, process, lambda: listening(port) and listening(management))
        trust = ssl.create_default_context(cafile=str(own))
        with urllib.request.urlopen(f"https://127.0.0.1:{management}/roots/0", context=trust, timeout=5) as answer:
            root = answer.read().decode()
        yield f"https://127.0.0.1:{port}/dir", root, own


def backend(address: str, port: int, service: str) -> ThreadingHTTPServer:
    """A service that says its name, and what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"service": service, "path": self.path, "headers": dict(self.headers)}).encode()
            self.send_response(200)
            self.send_header("Server", "secret/1.0")
            self.send_header("X-Powered-By", "Express")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def changed(flags: list[str], values: dict[str, str]) -> list[str]:
    """The flags with some values replaced; a flag that is not there is a mistake."""
    out = []
    left = dict(values)
    for flag in flags:
        name = flag.partition("=")[0]
        out.append(f"{name}={left.pop(name)}" if name in left else flag)
    if left:
        raise KeyError(f"compose/traefik has no {', '.join(left)}")
    return out


def files(folder: Path) -> tuple[Path, Path]:
    """(dynamic configuration with the paths of this machine, token of Cloudflare)."""
    users, token = folder / "dashboard-users", folder / "cf-dns-api-token"
    users.write_text(f"admin:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b'2a')).decode()}\n")
    token.write_text(TOKEN + "\n")
    dynamic = folder / "dynamic"
    shutil.copytree(TOP / "compose/traefik/dynamic", dynamic)
    dashboard = dynamic / "dashboard.yaml"
    dashboard.write_text(dashboard.read_text().replace("/run/secrets/dashboard-users", str(users)))
    return dynamic, token


@contextmanager
def edge(folder: Path, network: str) -> Iterator[Edge]:
    """A Traefik that has read its routes and got its certificate. `network` is the first two numbers of a loopback network."""
    with ExitStack() as stack:
        containers: list[tuple[str, str, dict[str, str], str]] = []
        for project in sorted(path.name for path in (TOP / "compose").iterdir() if path.is_dir()):
            for service, wanted in composed(project).items():
                labels, address = wanted.get("labels", {}), f"{network}.0.{len(containers) + 2}"
                containers.append((project, service, labels, address))
                for label, port in labels.items():
                    if re.fullmatch(r"traefik\.http\.services\..*\.loadbalancer\.server\.port", label):
                        server = backend(address, int(port), service)
                        stack.callback(server.server_close)
                        stack.callback(server.shutdown)
        traefik = composed("traefik")["traefik"]
        engine = Engine(containers, traefik["labels"]["socket-proxy.allow.get"])
        stack.callback(engine.close)
        zone = Zone("example.org", TOKEN)
        names = NameServer(zone)
        stack.callback(names.close)
        api = cloudflare(zone)
        stack.callback(api.server_close)
        stack.callback(api.shutdown)
        directory, issuer, own = stack.enter_context(authority(folder, names))
        dynamic, token = files(folder)
        web, websecure, ping = free_port(), free_port(), free_port()
        flags = changed(
            traefik["command"],
            {
                "--entrypoints.ping.address": f"127.0.0.1:{ping}",
                "--entrypoints.web.address": f"127.0.0.1:{web}",
                "--entrypoints.websecure.address": f"127.0.0.1:{websecure}",
                "--providers.docker.endpoint": engine.address,
                "--providers.file.directory": str(dynamic),
                "--certificatesresolvers.letsencrypt.acme.storage": str(folder / "acme.json"),
                "--certificatesresolvers.letsencrypt.acme.dnschallenge.resolvers": names.address,
            },
        )
        flags += [
            f"--certificatesresolvers.letsencrypt.acme.caserver={directory}",
            "--certificatesresolvers.letsencrypt.acme.dnschallenge.propagation.disablechecks=true",
        ]
        env = traefik["environment"] | {
            "CF_DNS_API_TOKEN_FILE": str(token),
            "CLOUDFLARE_BASE_URL": f"http://127.0.0.1:{api.server_address[1]}/client/v4",
            "LEGO_CA_CERTIFICATES": str(own),
        }
        log = folder / "traefik.log"
        process = stack.enter_context(running([str(BIN / "traefik"), *flags], log, env))
        stack.callback(engine.close)  # before Traefik: it holds a stream of events open
        made = Edge(engine, zone, web, websecure, ping, flags, list(traefik["command"]), log, issuer, process)
        wait("traefik", 30, process, lambda: listening(websecure))
        wait("the certificate", 60, process, lambda: _has_certificate(made))
        yield made


def _has_certificate(made: Edge) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", made.websecure), timeout=5) as raw:
            made.tls().wrap_socket(raw, server_hostname=f"gotify.{DOMAIN}").close()
    except (ssl.SSLError, OSError):
        return False
    return True
