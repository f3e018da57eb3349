"""The Proxmox API as the stand-in provider uses it: one token, one call after the other, tasks waited for."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT = 30.0
TASK = 120.0
"""Seconds that a task may take."""


class ApiError(Exception):
    """What the cluster answered instead."""


class Api:
    """`authorities` is a file with certificates, None for the system's; `insecure` takes any certificate."""

    def __init__(self, url: str, token_id: str, token: str, authorities: str | None, *, insecure: bool = False) -> None:
        self._url = urlsplit(url.rstrip("/"))
        self._headers = {"Authorization": f"PVEAPIToken={token_id}={token}"}
        self._tls = ssl.create_default_context(cafile=authorities)
        if insecure:
            self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE

    def call(self, method: str, *path: object, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        at = "/".join((self._url.path, *(quote(str(part), safe=":@!") for part in path)))
        sent = urlencode({name: str(value) for name, value in parameters.items()})
        in_body = method in ("POST", "PUT")
        headers = self._headers | ({"Content-Type": "application/x-www-form-urlencoded"} if in_body else {})
        connection = http.client.HTTPSConnection(self._url.hostname or "", self._url.port, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request(method, at if in_body or not sent else f"{at}?{sent}", sent if in_body else None, headers)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            raise ApiError(f"{self._url.netloc} cannot be reached: {error}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise ApiError(f"{method} /{'/'.join(map(str, path))}: {answer.status} {answer.reason} {body.decode().strip()}")
        return json.loads(body)["data"]

    def task(self, method: str, *path: object, **parameters: object) -> None:
        """A call that answers with a task; ApiError unless the task ends with OK."""
        upid = str(self.call(method, *path, **parameters))
        until = time.monotonic() + TASK
        while (found := self.call("GET", "nodes", upid.split(":")[1], "tasks", upid, "status"))["status"] != "stopped":
            if time.monotonic() > until:
                raise ApiError(f"{upid} did not end within {TASK:.0f}s")
            time.sleep(0.05)
        if found.get("exitstatus") != "OK":
            raise ApiError(f"{upid}: {found.get('exitstatus')}")

    def guests(self) -> list[dict[str, Any]]:
        return [row for row in self.call("GET", "cluster", "resources", type="vm") if row.get("type") == "qemu"]
