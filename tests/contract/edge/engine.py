"""The engine's API as the socket proxy shows it to Traefik: the services of compose/ as running containers, and nothing that the
client's own label does not allow."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Engine:
    """`containers`: (project, service, labels, address). `allowed`: the reader's label."""

    def __init__(self, containers: list[tuple[str, str, dict[str, str], str]], allowed: str) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        self._containers = [self._container(number, *one) for number, one in enumerate(containers)]
        self._allowed = re.compile(allowed)
        self._ended = threading.Event()
        engine = self

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                engine._answer(self)

            do_HEAD = do_GET  # noqa: N815 - the library's name

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self._ended.set()
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def _container(number: int, project: str, service: str, labels: dict[str, str], address: str) -> dict[str, Any]:
        own = {"com.docker.compose.project": project, "com.docker.compose.service": service}
        return {
            "Id": f"{number:064x}",
            "Names": [f"/{project}-{service}-1"],
            "Image": "image:1",
            "State": "running",
            "Status": "Up (healthy)",
            "Labels": labels | own,
            "NetworkSettings": {"Networks": {"proxy": {"NetworkID": "f" * 64, "IPAddress": address}}},
        }

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        self.asked.append(path)
        if not self._allowed.fullmatch(path):
            self.refused.append(path)
            return request.send_error(403)
        path = re.sub(r"^/v1\.\d+", "", path)
        if path == "/events":
            request.send_response(200)
            request.end_headers()
            self._ended.wait()
            return None
        found: object = {}
        if path == "/version":
            found = {"Version": "28.2.2", "ApiVersion": "1.50", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}
        elif path == "/containers/json":
            found = self._containers
        elif path == "/networks":
            found = [{"Name": "proxy", "Id": "f" * 64}]
        elif match := re.fullmatch(r"/containers/([^/]+)/json", path):
            found = self._inspect(next(one for one in self._containers if one["Id"] == match[1]))
        body = json.dumps(found).encode() if path != "/_ping" else b"OK"
        request.send_response(200)
        request.send_header("Api-Version", "1.50")
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
        return None

    @staticmethod
    def _inspect(one: dict[str, Any]) -> dict[str, Any]:
        return {
            "Id": one["Id"],
            "Name": one["Names"][0],
            "State": {"Status": "running", "Running": True, "Health": {"Status": "healthy"}},
            "Config": {"Labels": one["Labels"], "Image": one["Image"]},
            "HostConfig": {"NetworkMode": "proxy"},
            "NetworkSettings": {"Ports": {}, **one["NetworkSettings"]},
        }
