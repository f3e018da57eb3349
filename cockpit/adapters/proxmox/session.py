"""One HTTPS session of proxmoxer for one thread and one node: certificate pinned, redirects refused, sign-in by token or ticket.

Imported in the adapter's threads only: `requests` costs more than the first paint.
"""

from __future__ import annotations

import os
import ssl

from proxmoxer.backends.https import JsonSerializer, ProxmoxHTTPAuthBase, ProxmoxHttpSession
from proxmoxer.core import ProxmoxResource
from requests import PreparedRequest
from requests.adapters import HTTPAdapter

from cockpit.adapters.proxmox.calls import Call
from cockpit.adapters.proxmox.errors import SecondFactor
from cockpit.adapters.proxmox.ticket import Ticket
from cockpit.domain.secret import Secret

CONNECT, READ = 4.0, 15.0
"""Seconds that a connection and an answer may take."""
PORT = 8006


class Pinned(HTTPAdapter):
    """Talks to one certificate only, whoever signed it; the check comes before the first byte of the request."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, assert_fingerprint=self._fingerprint, **kwargs)  # type: ignore[arg-type]


class TokenAuth(ProxmoxHTTPAuthBase):  # type: ignore[misc]  # proxmoxer has no types
    def __init__(self, user: str, secret: Secret, verify: bool | str) -> None:
        super().__init__(timeout=(CONNECT, READ), verify_ssl=verify)
        self._user = user
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"PVEAPIToken={self._user}={told(self._secret)}"
        return request


class TicketAuth(ProxmoxHTTPAuthBase):  # type: ignore[misc]
    def __init__(self, ticket: Ticket, verify: bool | str) -> None:
        super().__init__(timeout=(CONNECT, READ), verify_ssl=verify)
        self._ticket = ticket

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self._ticket.value:
            request.headers["Cookie"] = f"PVEAuthCookie={self._ticket.value}"
            if request.method != "GET":
                request.headers["CSRFPreventionToken"] = self._ticket.csrf
        return request


def told(secret: Secret) -> str:
    """As it is typed: files end with a newline that no password has."""
    return secret.reveal().decode("utf-8", "replace").rstrip("\r\n")


def authorities() -> bool | str:
    """The system's bundle of authorities; without one, that of requests."""
    paths = ssl.get_default_verify_paths()
    return next((p for p in (paths.cafile, paths.capath) if p and os.path.exists(p)), True)


def split(address: str) -> tuple[str, int]:
    """`HOST[:PORT]`, `[V6]:PORT` or a bare IPv6 address."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return address.strip("[]"), PORT


def base_url(address: str) -> str:
    host, port = split(address)
    return f"https://{f'[{host}]' if ':' in host else host}:{port}/api2/json"


class NodeSession:
    """Belongs to one thread. `ticket` is None for an API token. Nothing is sent before the first request."""

    def __init__(self, address: str, user: str, secret: Secret, fingerprint: str | None, ticket: Ticket | None) -> None:
        verify: bool | str = False if fingerprint else authorities()
        self._user = user
        self._secret = secret
        self._session = session = ProxmoxHttpSession()
        session.trust_env = False  # no proxy and no .netrc comes between a homelab and its nodes
        session.max_redirects = 0
        session.adapters.pop("http://", None)
        if fingerprint:
            session.mount("https://", Pinned(fingerprint.replace(":", "")))
        session.auth = TokenAuth(user, secret, verify) if ticket is None else TicketAuth(ticket, verify)
        session.headers["accept"] = "application/json"
        self._resource = ProxmoxResource(base_url=base_url(address), session=session, serializer=JsonSerializer())

    def request(self, call: Call, read: float = READ) -> object:
        """The `data` of the answer. Raises what `errors.explain` knows."""
        self._session.auth.timeout = (CONNECT, read)
        at = self._resource(list(call.path))
        parameters = dict(call.parameters)
        if call.method == "GET":
            return at.get(**parameters)
        return at.post(**parameters) if call.method == "POST" else at.delete(**parameters)

    def sign_in(self, ticket: Ticket) -> None:
        """Exchanges the password for a ticket, over the same pinned session. Raises what `errors.explain` knows."""
        ticket.value = ""
        self._session.auth.timeout = (CONNECT, READ)
        answer = self._resource.access.ticket.post(username=self._user, password=told(self._secret))
        if not isinstance(answer, dict) or not answer.get("ticket"):
            raise ValueError("no ticket in the answer")
        if answer.get("NeedTFA"):
            raise SecondFactor
        ticket.keep(str(answer["ticket"]), str(answer.get("CSRFPreventionToken", "")))

    def close(self) -> None:
        self._session.close()
