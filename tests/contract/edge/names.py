"""A name server and Cloudflare's API for one zone, in memory: a TXT record that is made by the API is found by DNS."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SOA, TXT = 6, 16


@dataclass
class Zone:
    """Records of `name`, and everything that was asked of its API."""

    name: str
    token: str
    records: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id -> (name, content)."""
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    made: list[tuple[str, str]] = field(default_factory=list)
    """(type, name) of every record that ever was."""

    def texts(self, name: str) -> list[str]:
        return [content for at, content in self.records.values() if at == name]


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += data[at] + 1
    return ".".join(labels), at + 1


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(query: bytes, zone: Zone) -> bytes:
    """To one question: SOA of the zone, TXT of what was made; anything else exists and has nothing."""
    name, end = _name(query, 12)
    (kind,) = struct.unpack(">H", query[end : end + 2])
    data: list[bytes] = []
    if kind == SOA and name.lower() == zone.name:
        data = [_wire(f"ns.{zone.name}") + _wire(f"admin.{zone.name}") + struct.pack(">5I", 1, 60, 60, 60, 60)]
    elif kind == TXT:
        data = [bytes([len(text)]) + text.encode() for text in zone.texts(name.lower())]
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(one)) + one for one in data)
    return query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(data), 0, 0) + query[12 : end + 4] + records


class NameServer:
    """By UDP and TCP, on one port of loopback."""

    def __init__(self, zone: Zone) -> None:
        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, sock = self.request
                sock.sendto(answer(query, zone), self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while len(size := self.rfile.read(2)) == 2:
                    told = answer(self.rfile.read(int.from_bytes(size)), zone)
                    self.wfile.write(len(told).to_bytes(2) + told)

        self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagram)
        self.address = f"127.0.0.1:{self.udp.server_address[1]}"
        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.udp.server_address[1]), Stream)
        self.tcp.daemon_threads = self.udp.daemon_threads = True
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()


def cloudflare(zone: Zone) -> ThreadingHTTPServer:
    """The few calls that a DNS challenge makes."""

    class Api(BaseHTTPRequestHandler):
        def _tell(self, status: int, result: object) -> None:
            zone.calls.append((self.command, urlsplit(self.path).path, status))
            errors = [] if status == 200 else [{"code": 9109, "message": "Invalid access token"}]
            body = json.dumps({"success": status == 200, "errors": errors, "result": result}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            if self.headers.get("Authorization") != f"Bearer {zone.token}":
                return self._tell(403, None)
            if self.command == "GET" and url.path == "/client/v4/zones":
                found = parse_qs(url.query)["name"] == [zone.name]
                return self._tell(200, [{"id": "z1", "name": zone.name}] if found else [])
            if self.command == "POST" and url.path == "/client/v4/zones/z1/dns_records":
                record = json.loads(body)
                identifier = f"r{len(zone.made)}"
                zone.made.append((record["type"], record["name"].rstrip(".")))
                zone.records[identifier] = (record["name"].rstrip("."), record["content"].strip('"'))
                return self._tell(200, record | {"id": identifier})
            if self.command == "DELETE":
                zone.records.pop(url.path.rpartition("/")[2])
                return self._tell(200, {})
            return self._tell(404, None)

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
