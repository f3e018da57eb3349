"""ports.upkeep.Registry over the OCI distribution API: anonymous, read-only, bounded.

A token goes to the registry that asked for it and nowhere else: redirects are followed by hand, without it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct

from cockpit.adapters.outside import table
from cockpit.domain.errors import CockpitError, Refused, Unreachable, UsageError
from cockpit.domain.images import HUB, Image
from cockpit.domain.text import plain

HOSTS = {HUB: "index.docker.io"}
CONNECT, READ, TOTAL = 5.0, 15.0, 60.0
"""Seconds that a connection, the next piece of an answer, and a whole answer may take."""
MOST = 4 << 20
"""Bytes of an answer: what registries allow a manifest."""
MOST_TAGS, PAGE = 50_000, 1000
HOPS = 5
INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*INDEX, *MANIFEST))
SOURCE = "org.opencontainers.image.source"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')


class Answer(Struct, frozen=True):
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    """No longer than MOST."""

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unreachable(f"{_host(self.url)} does not answer like a registry", "no JSON object came")
        return found


class OciRegistry:
    """Each call has a session of its own: calls run in threads, several at once."""

    async def digest(self, image: Image) -> str:
        return await asyncio.to_thread(self._digest, image)

    async def tags(self, image: Image) -> tuple[str, ...]:
        return await asyncio.to_thread(self._tags, image)

    async def source(self, image: Image, digest: str) -> str:
        return await asyncio.to_thread(self._source, image, digest)

    def _digest(self, image: Image) -> str:
        with _Repository(image) as repository:
            url = repository.url(f"manifests/{image.tag}")
            answer = repository.get(url, method="HEAD")
            told = answer.headers.get("Docker-Content-Digest", "")
            if _DIGEST.fullmatch(told):
                return told
            # a registry that does not say it: the digest is that of the bytes
            answer = repository.get(url)
            answer.json()
            return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"

    def _tags(self, image: Image) -> tuple[str, ...]:
        found: list[str] = []
        with _Repository(image) as repository:
            url = repository.url(f"tags/list?n={PAGE}")
            deadline = time.monotonic() + TOTAL
            while url:
                answer = repository.get(url)
                tags = answer.json().get("tags") or []
                found += [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
                further = _NEXT.search(answer.headers.get("Link", ""))
                following = urljoin(url, further[1]) if further else ""
                if len(found) > MOST_TAGS or time.monotonic() > deadline or following == url:
                    raise Unreachable(f"{image.name} has too many tags to look through", f"more than {len(found)} came")
                if following and _origin(following) != _origin(url):
                    raise Unreachable(f"{image.name}: the list of tags goes on elsewhere", f"at {plain(_host(following))}")
                url = following
        return tuple(found)

    def _source(self, image: Image, digest: str) -> str:
        """Of an index, the first image for a machine."""
        with _Repository(image) as repository:
            manifest = self._manifest(repository, digest)
            several = manifest.get("manifests")
            for one in map(table, several if isinstance(several, list) else ()):
                if table(one.get("platform")).get("os") == "linux":
                    manifest = self._manifest(repository, str(one.get("digest")))
                    break
            wanted = str(table(manifest.get("config")).get("digest"))
            config = self._checked(repository, f"blobs/{wanted}", wanted) if _DIGEST.fullmatch(wanted) else {}
            return plain(str(table(table(config.get("config")).get("Labels")).get(SOURCE) or "")[:500])

    def _manifest(self, repository: _Repository, digest: str) -> dict[str, Any]:
        if not _DIGEST.fullmatch(digest):
            raise Unreachable(f"{repository.image.name}: the registry names no manifest", plain(digest[:80]))
        return self._checked(repository, f"manifests/{digest}", digest)

    @staticmethod
    def _checked(repository: _Repository, path: str, digest: str) -> dict[str, Any]:
        answer = repository.get(repository.url(path))
        if f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            raise Unreachable(f"{repository.image.name}: other bytes came than were asked for", f"asked for {digest}")
        return answer.json()


class _Repository:
    """One repository of one registry: signs in where that is asked for, without a name."""

    def __init__(self, image: Image) -> None:
        self.image = image
        host = HOSTS.get(image.registry, image.registry)
        self._local = _loopback(host)
        self._base = f"{'http' if self._local else 'https'}://{host}"
        self._session = requests.Session()
        self._token = ""

    def __enter__(self) -> _Repository:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def url(self, path: str) -> str:
        return f"{self._base}/v2/{self.image.repository}/{path}"

    def get(self, url: str, method: str = "GET") -> Answer:
        answer = self._follow(url, method)
        if answer.status == 401 and not self._token:
            self._token = self._sign_in(answer.headers.get("WWW-Authenticate", ""))
            answer = self._follow(url, method)
        if answer.status != 200:
            raise self._failed(answer)
        return answer

    def _sign_in(self, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        words = dict(_CHALLENGE.findall(rest))
        realm = words.get("realm", "")
        if scheme.lower() != "bearer" or not _allowed(realm, self._local):
            raise Refused(
                f"{self.image.name} cannot be read without an account", f"the registry asks for {plain(scheme) or 'a sign-in'}"
            )
        scope = words.get("scope") or f"repository:{self.image.repository}:pull"
        asked = {"scope": scope} | ({"service": words["service"]} if "service" in words else {})
        answer = self._ask(requests.Request("GET", realm, params=asked).prepare().url or realm, "GET", {})
        if answer.status != 200:
            raise self._failed(answer)
        found = answer.json()
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,16384}", token):
            raise Unreachable(f"{_host(realm)} does not answer like a registry", "no token came")
        return token

    def _follow(self, url: str, method: str) -> Answer:
        origin = _origin(url)
        for _ in range(HOPS):
            headers = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
            if self._token and _origin(url) == origin:
                headers["Authorization"] = f"Bearer {self._token}"
            answer = self._ask(url, method, headers)
            where = answer.headers.get("Location", "")
            if answer.status not in (301, 302, 303, 307, 308) or not where:
                return answer
            url = urljoin(url, where)
            if not _allowed(url, self._local):
                raise Refused(f"{self.image.name}: the registry leads elsewhere without encryption", f"to {plain(_host(url))}")
        raise Unreachable(f"{self.image.name}: the registry leads in circles", f"{HOPS} redirects")

    def _ask(self, url: str, method: str, headers: dict[str, str]) -> Answer:
        """One request, no redirect. The password file of this machine (netrc) is not for registries."""
        deadline = time.monotonic() + TOTAL
        try:
            with self._session.request(
                method, url, headers=headers, timeout=(CONNECT, READ), allow_redirects=False, stream=True, auth=_nobody
            ) as response:
                body = b""
                for piece in response.iter_content(1 << 16):
                    body += piece
                    if len(body) > MOST:
                        raise Unreachable(f"{_host(url)} answered too much", f"more than {MOST} bytes")
                    if time.monotonic() > deadline:
                        raise Unreachable(f"{_host(url)} did not finish its answer", f"within {TOTAL:.0f} s")
                return Answer(url, response.status_code, response.headers, body)
        except (requests.RequestException, ValueError) as error:
            why = f"{self.image.tagged}: {_words(error)}"
            raise Unreachable(f"{_host(url)} does not answer", why, "is the registry reachable from here?") from None

    def _failed(self, answer: Answer) -> CockpitError:
        host, name = _host(answer.url), self.image.tagged
        if answer.status == 404:
            return UsageError(f"{host} has no {name}", "", "is the tag right?")
        if answer.status == 429:
            later = plain(answer.headers.get("Retry-After", ""))
            return Refused(
                f"{host} wants no more questions for now", f"{name}: too many requests", f"again in {later or 'some hours'}"
            )
        if answer.status in (401, 403):
            return Refused(f"{name} cannot be read without an account", f"{host} answers {answer.status}", "is the name right?")
        return Unreachable(f"{host} answers {answer.status}", name)


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _words(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted, or it speaks no TLS"
    return "no connection" if isinstance(error, requests.ConnectionError) else plain(str(error)[:200])


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]


def _host(url: str) -> str:
    return plain(urlsplit(url).netloc)


def _allowed(url: str, local: bool) -> bool:
    """Encrypted; or on this machine, where the registry itself is."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (local and parts.scheme == "http" and _loopback(parts.netloc)))


def _loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
