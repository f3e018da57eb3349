"""What adapters/nixos/checkup.sh, the script of `cockpit doctor`, would print on a simulated host; and its certificate."""

from __future__ import annotations

import datetime
import json
import re
from functools import cache

from cockpit.simulator.host import Host

ADDRESSES = {"homelab": "100.64.0.7"}
CERTIFICATE = re.compile(
    r"^PATH=/run/current-system/sw/bin:\$PATH; curl -sk --max-time \d+ --resolve ([A-Za-z0-9.-]+):\d+:\S+ -o /dev/null -w "
)
DAYS = 61


def printed(host: Host, public_key: str) -> bytes:
    """KEY NUL VALUE NUL, as a host in good order says it."""
    address = ADDRESSES.get(host.name, "100.64.0.8")
    mesh = {
        "BackendState": "Running",
        "Self": {"DNSName": f"{host.name}.tailnet.example.ts.net.", "TailscaleIPs": [address]},
        "Health": [],
    }
    fields = {
        "checkup": "1",
        "user": "cockpit",
        "groups": "cockpit docker systemd-journal",
        "sudo": "yes",
        "programs": "\n".join(f"/run/current-system/sw/bin/cockpit-{p}" for p in ("converge", "secrets", "transaction")),
        "keys": f"{public_key} root@{host.name}",
        "inodes": "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sda2 13107200 1441792 11665408 11% /",
        "engine_version": json.dumps({"Version": "29.1.3", "ApiVersion": "1.52"}),
        "engine_info": json.dumps({"LiveRestoreEnabled": True}),
        "mesh": json.dumps(mesh),
    }
    return "".join(f"{key}\0{value}\0" for key, value in fields.items()).encode()


@cache
def certificate(name: str) -> bytes:
    """What curl prints of a certificate for a name and its neighbours: OpenSSL's verdict, then PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, domain = ec.generate_private_key(ec.SECP256R1()), name.partition(".")[2]
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Simulated Authority E7")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=90 - DAYS))
        .not_valid_after(now + datetime.timedelta(days=DAYS, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain), x509.DNSName(f"*.{domain}")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return b"0\n" + made.public_bytes(serialization.Encoding.PEM)
