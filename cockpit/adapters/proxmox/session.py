"""One HTTPS connection to one node for one thread: certificate pinned, redirects refused, sign-in by token or ticket.

proxmoxer makes the calls; its own transport is `requests`, whose import alone would take longer than a thousand guests do.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct
from proxmoxer.core import ProxmoxResource

from cockpit.adapters.proxmox.calls import Call
from cockpit.adapters.proxmox.errors import NoConnection, Redirected, SecondFactor, WrongCertificate
from cockpit.adapters.proxmox.ticket import Ticket
from cockpit.adapters.proxmox.upload import Upload
from cockpit.domain.secret import Secret

CONNECT, READ = 4.0, 15.0
"""Seconds that a connection and an answer may take."""
PORT = 8006
MOST = 64 << 20
"""Bytes of an answer; a hundred thousand guests fit."""


class Response(Struct, frozen=True):
    """What proxmoxer wants to know of an answer."""

    status_code: int
    reason: str
    content: bytes


class Json:
    """proxmoxer's serializer. Raises ValueError, KeyError or TypeError for what is not PVE's."""

    def loads(self, response: Response) -> object:
        answer = msgspec.json.decode(response.content, type=dict[str, object])
        return answer["data"]

    def loads_errors(self, response: Response) -> object:
        try:
            answer = msgspec.json.decode(response.content)
        except ValueError:
            return None
        return answer.get("errors") if isinstance(answer, dict) else None


def told(secret: Secret) -> str:
    """As it is typed: files end with a newline that no password has."""
    return secret.reveal().decode("utf-8", "replace").rstrip("\r\n")


def split(address: str) -> tuple[str, int]:
    """`HOST[:PORT]`, `[V6]:PORT` or a bare IPv6 address."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return address.strip("[]"), PORT


class NodeSession:
    """`ticket` is None for an API token. Nothing is sent before the first request."""

    def __init__(self, address: str, user: str, secret: Secret, fingerprint: str | None, ticket: Ticket | None) -> None:
        self._address = split(address)
        self._user = user
        self._secret = secret
        self._ticket = ticket
        self._digest = fingerprint.replace(":", "").lower() if fingerprint else ""
        self._tls = ssl.create_default_context() if not fingerprint else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if fingerprint:
            # the digest is compared instead, before the first byte of a request
            self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._read = READ
        self._connection: http.client.HTTPSConnection | None = None
        self._upload: Upload | None = None
        self._resource = ProxmoxResource(base_url="https://node/api2/json", session=self, serializer=Json())

    def call(self, call: Call, read: float, upload: Upload | None = None) -> object:
        """The `data` of the answer; a POST sends `upload` instead of parameters. Raises what `errors.explain` knows."""
        self._read, self._upload = read, upload
        at = self._resource([quote(part, safe=":@!") for part in call.path])
        parameters = dict(call.parameters)
        if call.method == "GET":
            return at.get(**parameters)
        # a connection that was kept may have been closed meanwhile: a change must not be lost in it
        self.close()
        return at.post(**parameters) if call.method == "POST" else at.delete(**parameters)

    def sign_in(self, ticket: Ticket) -> None:
        """Exchanges the password for a ticket, over the same pinned connection. Raises what `errors.explain` knows."""
        ticket.value = ""
        self._read, self._upload = READ, None
        answer = self._resource.access.ticket.post(username=self._user, password=told(self._secret))
        if not isinstance(answer, dict) or not answer.get("ticket"):
            raise ValueError("no ticket in the answer")
        if answer.get("NeedTFA"):
            raise SecondFactor
        ticket.keep(str(answer["ticket"]), str(answer.get("CSRFPreventionToken", "")))

    def request(
        self, method: str, url: str, data: dict[str, str] | None = None, params: dict[str, str] | None = None
    ) -> Response:
        """What proxmoxer calls."""
        path = urlsplit(url).path + (f"?{urlencode(params)}" if params else "")
        headers = {"Accept": "application/json", **self._signed(method)}
        body = None
        if method in ("POST", "PUT"):
            body = urlencode(data or {}).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self._connected()
        done = False
        try:
            if self._upload is None:
                connection.request(method, path, body, headers)
            else:
                self._upload.send(connection, path, headers)
            answer = connection.getresponse()
            content = answer.read(MOST)
            done = not answer.will_close and answer.isclosed()
        finally:
            if not done:
                self.close()
        if 300 <= answer.status < 400:
            raise Redirected
        return Response(answer.status, answer.reason, content)

    def _signed(self, method: str) -> dict[str, str]:
        if self._ticket is None:
            return {"Authorization": f"PVEAPIToken={self._user}={told(self._secret)}"}
        if not self._ticket.value:
            return {}
        csrf = {"CSRFPreventionToken": self._ticket.csrf} if method != "GET" else {}
        return {"Cookie": f"PVEAuthCookie={self._ticket.value}", **csrf}

    def _connected(self) -> http.client.HTTPSConnection:
        """The connection that was kept, or a new one to the pinned certificate. NoConnection: nothing was sent."""
        if self._connection is None:
            connection = http.client.HTTPSConnection(*self._address, timeout=CONNECT, context=self._tls)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                raise NoConnection(error) from None
            got = hashlib.sha256(connection.sock.getpeercert(True) or b"").hexdigest()
            if self._digest and not hmac.compare_digest(got, self._digest):
                connection.close()
                raise WrongCertificate(got)
            self._connection = connection
        self._connection.sock.settimeout(self._read)
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
