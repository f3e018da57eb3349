"""Registries: a real one, and one that signs in, redirects, refuses, stalls and lies."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cockpit.adapters import registry
from cockpit.adapters.registry import INDEX, MANIFEST, OciRegistry
from cockpit.domain.errors import CockpitError, Refused, Unreachable, UsageError
from cockpit.domain.images import Image, parse
from scripts.paths import TOP
from tests import gobin
from tests.contract.edge.run import free_port, listening, running, wait

DIGEST = "sha256:" + "a" * 64


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# ---- a real registry -------------------------------------------------------------------------------------------------


class Real:
    """distribution's own program on loopback."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def put(self, path: str, data: bytes, kind: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("PUT", path, data, {"Content-Type": kind})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201, (path, answer.status)
        connection.close()
        return digest(data)

    def blob(self, name: str, data: bytes) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", f"/v2/{name}/blobs/uploads/", headers={"Content-Length": "0"})
        answer = connection.getresponse()
        answer.read()
        where = urlsplit(answer.headers["Location"])
        connection.close()
        self.put(f"{where.path}?{where.query}&digest={digest(data)}", data, "application/octet-stream")
        return {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data)}

    def image(self, name: str, tag: str, labels: dict[str, str]) -> str:
        """An index of two architectures; its digest."""
        entries = []
        for machine in ("amd64", "arm64"):
            config = json.dumps({"architecture": machine, "os": "linux", "config": {"Labels": labels}, "rootfs": {}}).encode()
            layer = self.blob(name, f"{name}:{tag}".encode())
            manifest = json.dumps(
                {"schemaVersion": 2, "mediaType": MANIFEST[0], "config": self.blob(name, config), "layers": [layer]}
            ).encode()
            found = self.put(f"/v2/{name}/manifests/{digest(manifest)}", manifest, MANIFEST[0])
            entries.append(
                {
                    "mediaType": MANIFEST[0],
                    "digest": found,
                    "size": len(manifest),
                    "platform": {"os": "linux", "architecture": machine},
                }
            )
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX[0], "manifests": entries}).encode()
        return self.put(f"/v2/{name}/manifests/{tag}", index, INDEX[0])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    if why := gobin.missing():
        pytest.skip(why)
    folder = Path(tmp_path_factory.mktemp("registry"))
    port = free_port()
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "log": {"level": "error"},
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    argv = [str(gobin.program(gobin.REGISTRY)), "serve", str(folder / "config.yml")]
    with running(argv, folder / "log", {"OTEL_TRACES_EXPORTER": "none"}) as process:
        wait("the registry", 30, process, lambda: listening(port))
        yield Real(folder, port)


@pytest.mark.timeout(600)
async def test_a_real_registry(real: Real) -> None:
    pushed = {tag: real.image("my/app", tag, {registry.SOURCE: "https://github.com/me/app"}) for tag in ("1.0", "1.1", "latest")}
    image = parse(f"127.0.0.1:{real.port}/my/app:1.1")
    assert await OciRegistry().digest(image) == pushed["1.1"]
    assert sorted(await OciRegistry().tags(image)) == ["1.0", "1.1", "latest"]
    assert await OciRegistry().source(image, pushed["1.1"]) == "https://github.com/me/app"


@pytest.mark.timeout(600)
async def test_a_real_registry_pages_its_tags(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        real.image("many", f"1.{number}", {})
    monkeypatch.setattr(registry, "PAGE", 2)
    image = parse(f"127.0.0.1:{real.port}/many:1.0")
    assert sorted(await OciRegistry().tags(image)) == [f"1.{number}" for number in range(5)]
    assert await OciRegistry().source(image, await OciRegistry().digest(image)) == ""


@pytest.mark.timeout(600)
async def test_a_real_registry_lacks_what_it_lacks(real: Real) -> None:
    for name in ("nothing:1", "my/app:9.9"):
        with pytest.raises(UsageError, match="has no"):
            await OciRegistry().digest(parse(f"127.0.0.1:{real.port}/{name}"))


def cockpit(folder: Path, *words: str) -> tuple[int, str]:
    """The program in a process of its own."""
    environ = os.environ | {"PYTHONPATH": str(TOP), "XDG_CONFIG_HOME": str(folder), "GITHUB_ACTIONS": ""}
    argv = [sys.executable, "-m", "cockpit", *words]
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.timeout(600)
def test_the_command_line(real: Real, tmp_path: Path) -> None:
    pushed = {tag: real.image("cli/app", tag, {}) for tag in ("v1.0.0", "v1.0.1-rc1", "v1.1.0", "v2.0.0")}
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    image = f"127.0.0.1:{real.port}/cli/app"
    (tmp_path / "cockpit.yaml").write_text(
        "version: 1\nhosts: {h: {address: h, projects: [app]}}\nprojects:\n  app: {source: compose/app}\n"
    )
    (tmp_path / "compose/app").mkdir(parents=True)
    compose = tmp_path / "compose/app/compose.yaml"
    compose.write_text(f"services:\n  web:   # the page\n    image: {image}:v1.0.0   # pinned\n")
    lock = tmp_path / "compose/app/compose.lock.yaml"

    code, told = cockpit(tmp_path, "lock", "--check")
    assert code == 10 and "LOCK" in told and "DIGEST" not in told  # there is none
    assert cockpit(tmp_path, "lock")[0] == 0
    assert f"{image}:v1.0.0@{pushed['v1.0.0']}" in lock.read_text()
    assert cockpit(tmp_path, "lock", "--check")[0] == 0

    code, told = cockpit(tmp_path, "lock", "--upgrade", "--output", "json")
    row = json.loads(told)
    assert (code, row["event"], row["old_tag"], row["new_tag"], row["moved"]) == (0, "Image", "v1.0.0", "v1.1.0", True)
    assert compose.read_text() == f"services:\n  web:   # the page\n    image: {image}:v1.1.0   # pinned\n"
    assert cockpit(tmp_path, "lock", "app", "--upgrade", "--major")[0] == 0
    assert f"{image}:v2.0.0@{pushed['v2.0.0']}" in lock.read_text()

    assert cockpit(tmp_path, "lock", "other")[0] == 2
    assert cockpit(tmp_path, "lock", "--major")[0] == 2
    compose.write_text(compose.read_text().replace("v2.0.0", "v9.9.9"))
    code, told = cockpit(tmp_path, "lock")
    assert code == 2 and "has no" in told
    assert cockpit(tmp_path, "lock", "--check")[0] == 10


# ---- one that does what it likes -------------------------------------------------------------------------------------

Reply = tuple[int, dict[str, str], bytes]


class Rogue:
    """Answers as `replies` say: path (or METHOD path) -> what to do."""

    def __init__(self) -> None:
        self.replies: dict[str, Callable[[BaseHTTPRequestHandler], Reply | None]] = {}
        self.seen: list[tuple[str, str, str | None]] = []
        """(method, path, Authorization)."""
        rogue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                path = urlsplit(self.path).path
                rogue.seen.append((self.command, self.path, self.headers.get("Authorization")))
                reply = rogue.replies.get(f"{self.command} {path}") or rogue.replies.get(path)
                answer = reply(self) if reply is not None else (404, {}, b"{}")
                if answer is None:
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = _do  # noqa: N815 - the library's names

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def says(self, path: str, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies[path] = lambda request: (status, named, body)

    def image(self, name: str = "app:1") -> Image:
        return parse(f"{self.host}/{name}")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def rogue() -> Iterator[Rogue]:
    made = Rogue()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Rogue]:
    made = Rogue()
    yield made
    made.close()


def signs_in(rogue: Rogue, realm: str, path: str = "/v2/app/manifests/1") -> None:
    """Answers with the digest to whoever has the token, and asks everybody else for it."""

    def manifest(request: BaseHTTPRequestHandler) -> Reply:
        if request.headers.get("Authorization") == "Bearer the-token":
            return 200, {"Docker-Content-Digest": DIGEST}, b""
        challenge = f'Bearer realm="{realm}",service="the service",scope="repository:app:pull"'
        return 401, {"WWW-Authenticate": challenge}, b"{}"

    rogue.replies[path] = manifest


async def failed(rogue: Rogue, kind: type[CockpitError], words: str = "") -> CockpitError:
    with pytest.raises(kind) as caught:
        await OciRegistry().digest(rogue.image())
    assert type(caught.value) is kind and words in str(caught.value), caught.value
    assert "\x1b" not in f"{caught.value} {caught.value.hint}"
    return caught.value


async def test_a_registry_that_signs_in(rogue: Rogue, other: Rogue) -> None:
    signs_in(rogue, f"http://{other.host}/token")
    other.says("/token", 200, b'{"token": "the-token"}')
    assert await OciRegistry().digest(rogue.image()) == DIGEST
    (asked,) = other.seen
    assert parse_qs(urlsplit(asked[1]).query) == {"service": ["the service"], "scope": ["repository:app:pull"]}
    assert asked[2] is None
    assert [authorization for _, _, authorization in rogue.seen] == [None, "Bearer the-token"]


async def test_a_token_that_does_not_help_is_not_asked_for_again(rogue: Rogue) -> None:
    signs_in(rogue, f"http://{rogue.host}/token")
    rogue.says("/token", 200, b'{"access_token": "another"}')
    await failed(rogue, Refused, "without an account")
    assert len([path for _, path, _ in rogue.seen if path.startswith("/token")]) == 1


@pytest.mark.parametrize(
    "challenge",
    ["", "Basic realm=x", 'Bearer realm="http://registry.example/token"', 'Bearer realm="file:///etc/passwd"', "Bearer"],
)
async def test_signing_in_otherwise_is_refused(rogue: Rogue, challenge: str) -> None:
    rogue.says("/v2/app/manifests/1", 401, WWW_Authenticate=challenge)
    await failed(rogue, Refused, "without an account")
    assert len(rogue.seen) == 1


@pytest.mark.parametrize(
    "token", [b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": "' + b"x" * 20000 + b'"}']
)
async def test_a_token_that_is_none(rogue: Rogue, token: bytes) -> None:
    signs_in(rogue, f"http://{rogue.host}/token")
    rogue.says("/token", 200, token)
    await failed(rogue, Unreachable, "does not answer like a registry")


async def test_a_token_stays_where_it_was_given_for(rogue: Rogue, other: Rogue) -> None:
    """Blobs lie elsewhere, and the redirect says how to get them; the token is not for there."""
    config = b'{"config": {"Labels": {"org.opencontainers.image.source": "https://github.com/me/app\\u001b[2J"}}}'
    manifest = json.dumps({"config": {"digest": digest(config)}}).encode()
    signs_in(rogue, f"http://{rogue.host}/token", f"/v2/app/blobs/{digest(config)}")
    signed = rogue.replies[f"/v2/app/blobs/{digest(config)}"]

    def redirected(request: BaseHTTPRequestHandler) -> Reply | None:
        found = signed(request)
        return found if found is None or found[0] == 401 else (307, {"Location": f"http://{other.host}/cdn?signature=1"}, b"")

    rogue.replies[f"/v2/app/blobs/{digest(config)}"] = redirected
    rogue.says("/token", 200, b'{"token": "the-token"}')
    rogue.says(f"/v2/app/manifests/{digest(manifest)}", 200, manifest)
    other.says("/cdn", 200, config)
    assert await OciRegistry().source(rogue.image(), digest(manifest)) == "https://github.com/me/app"
    assert other.seen == [("GET", "/cdn?signature=1", None)]


async def test_the_password_file_of_this_machine_is_not_for_registries(
    rogue: Rogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    rogue.says("/v2/app/manifests/1", 200, Docker_Content_Digest=DIGEST)
    assert await OciRegistry().digest(rogue.image()) == DIGEST
    assert rogue.seen == [("HEAD", "/v2/app/manifests/1", None)]


@pytest.mark.parametrize("where", ["http://registry.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd"])
async def test_a_redirect_without_encryption_is_not_followed(rogue: Rogue, where: str) -> None:
    rogue.says("/v2/app/manifests/1", 302, Location=where)
    await failed(rogue, Refused, "leads elsewhere without encryption")


async def test_a_redirect_in_circles_ends(rogue: Rogue) -> None:
    rogue.says("/v2/app/manifests/1", 302, Location="/v2/app/manifests/1")
    await failed(rogue, Unreachable, "circles")
    assert len(rogue.seen) == registry.HOPS


async def test_a_registry_that_does_not_say_the_digest(rogue: Rogue) -> None:
    body = b'{"schemaVersion": 2}'
    rogue.says("/v2/app/manifests/1", 200, body)
    assert await OciRegistry().digest(rogue.image()) == digest(body)


@pytest.mark.parametrize("told", ["sha256:short", "md5:" + "a" * 32, DIGEST + "x", "\x1b[2J"])
async def test_a_digest_that_is_none_is_not_believed(rogue: Rogue, told: str) -> None:
    rogue.replies["/v2/app/manifests/1"] = lambda request: (200, {"Docker-Content-Digest": told}, b'{"a": 1}')
    assert await OciRegistry().digest(rogue.image()) == digest(b'{"a": 1}')


async def test_not_there(rogue: Rogue) -> None:
    await failed(rogue, UsageError, "has no")


async def test_too_many_questions(rogue: Rogue) -> None:
    rogue.says("/v2/app/manifests/1", 429, Retry_After="3600\x1b[2J")
    assert "3600" in (await failed(rogue, Refused, "too many requests")).hint


@pytest.mark.parametrize("status", [400, 500, 503])
async def test_other_answers(rogue: Rogue, status: int) -> None:
    rogue.says("/v2/app/manifests/1", status)
    await failed(rogue, Unreachable, str(status))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b'{"a":' * 100_000, b""])
async def test_what_is_no_registry(rogue: Rogue, body: bytes) -> None:
    rogue.says("/v2/app/manifests/1", 200, body)
    await failed(rogue, Unreachable, "does not answer like a registry")


async def test_a_huge_answer_is_not_read_to_its_end(rogue: Rogue) -> None:
    def flood(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            request.close_connection = True

    rogue.says("HEAD /v2/app/manifests/1", 200)
    rogue.replies["GET /v2/app/manifests/1"] = flood
    await failed(rogue, Unreachable, "answered too much")


async def test_a_registry_that_stalls(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "READ", 0.2)
    ended = threading.Event()

    def stall(request: BaseHTTPRequestHandler) -> None:
        ended.wait(20)

    rogue.replies["/v2/app/manifests/1"] = stall
    await failed(rogue, Unreachable, "no answer in time")
    ended.set()


async def test_a_registry_that_never_ends(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always a byte in time: the whole answer has a deadline as well."""
    monkeypatch.setattr(registry, "TOTAL", 0.3)
    ended = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            while not ended.wait(0.05):
                request.wfile.write(b"1\r\nx\r\n")
        except OSError:
            pass
        request.close_connection = True

    rogue.says("HEAD /v2/app/manifests/1", 200)
    rogue.replies["GET /v2/app/manifests/1"] = drip
    await failed(rogue, Unreachable, "did not finish")
    ended.set()


async def test_nobody_is_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        image = parse(f"127.0.0.1:{sock.getsockname()[1]}/app:1")
        with pytest.raises(Unreachable, match="no connection"):
            await OciRegistry().digest(image)


async def test_only_this_machine_is_asked_without_encryption(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    for image, base in (
        ("traefik:1", "https://index.docker.io/v2/library/traefik/x"),
        ("ghcr.io/a/b:1", "https://ghcr.io/v2/a/b/x"),
        ("registry:5000/a:1", "https://registry:5000/v2/a/x"),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a/x"),
    ):
        with registry._Repository(parse(image)) as repository:
            assert repository.url("x") == base


@pytest.mark.parametrize("tags", [b'{"tags": null}', b'{"tags": "x"}', b'{"tags": [1, null]}', b"{}"])
async def test_lists_that_are_none(rogue: Rogue, tags: bytes) -> None:
    rogue.says("/v2/app/tags/list", 200, tags)
    assert await OciRegistry().tags(rogue.image()) == ()


async def test_a_list_that_goes_on_elsewhere_or_for_ever(rogue: Rogue, other: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    rogue.says("/v2/app/tags/list", 200, b'{"tags": ["1"]}', Link=f'<http://{other.host}/x>; rel="next"')
    with pytest.raises(Unreachable, match="goes on elsewhere"):
        await OciRegistry().tags(rogue.image())
    assert other.seen == []
    count = iter(range(1_000_000))
    rogue.replies["/v2/app/tags/list"] = lambda request: (
        200,
        {"Link": f'</v2/app/tags/list?last={next(count)}>; rel="next"'},
        json.dumps({"tags": ["1"] * 1000}).encode(),
    )
    monkeypatch.setattr(registry, "MOST_TAGS", 5000)
    with pytest.raises(Unreachable, match="too many tags"):
        await OciRegistry().tags(rogue.image())


async def test_other_bytes_than_were_asked_for(rogue: Rogue) -> None:
    rogue.says(f"/v2/app/manifests/{DIGEST}", 200, b"{}")
    with pytest.raises(Unreachable, match="other bytes came"):
        await OciRegistry().source(rogue.image(), DIGEST)


@pytest.mark.parametrize(
    "body",
    [
        b'{"manifests": 5}',
        b'{"manifests": {"a": 1}}',
        b'{"manifests": [{"platform": "linux"}]}',
        b'{"config": "x"}',
        b'{"config": [1]}',
        b'{"manifests": [{"platform": {"os": "windows"}}]}',
    ],
)
async def test_a_manifest_of_strange_shape_has_no_source(rogue: Rogue, body: bytes) -> None:
    rogue.says(f"/v2/app/manifests/{digest(body)}", 200, body)
    assert await OciRegistry().source(rogue.image(), digest(body)) == ""


async def test_a_configuration_of_strange_shape_has_no_source(rogue: Rogue) -> None:
    config = b'{"config": "x"}'
    body = json.dumps({"config": {"digest": digest(config)}}).encode()
    rogue.says(f"/v2/app/manifests/{digest(body)}", 200, body)
    rogue.says(f"/v2/app/blobs/{digest(config)}", 200, config)
    assert await OciRegistry().source(rogue.image(), digest(body)) == ""


async def test_several_at_once(rogue: Rogue) -> None:
    signs_in(rogue, f"http://{rogue.host}/token")
    rogue.says("/token", 200, b'{"token": "the-token"}')
    found = await asyncio.gather(*(OciRegistry().digest(rogue.image()) for _ in range(8)))
    assert set(found) == {DIGEST}
