"""Living logs: what each service of the homelab says, in its own dialect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from random import Random

Line = tuple[bool, str]
"""(is standard error, text)."""
Speaker = Callable[[Random, float], list[Line]]
"""Lines that belong together, said at a time."""

_PATHS = (
    "/api/documents/?page=1",
    "/",
    "/api/stats/",
    "/message?limit=100",
    "/api/status",
    "/static/frontend/main.js",
    "/dashboard/",
    "/health",
)
_ROUTERS = ("paperless@docker", "homepage@docker", "gotify@docker", "uptime-kuma@docker", "dozzle@docker")
_DOCUMENTS = ("2026-11 electricity", "invoice 20419", "letter from the tax office", "insurance 2027", "warranty washing machine")
_TRACE = """\
[{stamp}] [ERROR] [paperless.tasks] Mail account "post@home.example.org": cannot log in
Traceback (most recent call last):
  File "/usr/src/paperless/src/paperless_mail/mail.py", line 512, in handle_mail_account
    mailbox_login(mailbox, account)
  File "/usr/local/lib/python3.12/site-packages/imap_tools/mailbox.py", line 56, in login
    login_result = self.client._simple_command('LOGIN', username, self.client._quote(password))
  File "/usr/local/lib/python3.12/site-packages/imap_tools/mailbox.py", line 31, in _simple_command
    return self._command_complete(name, self._command(name, *args))
  File "/usr/src/paperless/src/paperless_mail/mail.py", line 401, in mailbox_login
    raise MailError(f"Error while authenticating account {{account}}") from err
paperless_mail.mail.MailError: Error while authenticating account post@home.example.org"""


def _iso(at: float, digits: int = 3) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 10**digits):0{digits}d}Z"


def _python(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) + f",{int(at % 1 * 1000):03d}"


def traefik(random: Random, at: float) -> list[Line]:
    status = random.choices((200, 304, 302, 404, 401, 502), (70, 12, 6, 5, 4, 3))[0]
    record = {
        "ClientHost": f"100.64.0.{random.randint(2, 9)}",
        "DownstreamStatus": status,
        "Duration": random.randint(400_000, 90_000_000),
        "RequestMethod": "GET" if random.random() < 0.9 else "POST",
        "RequestPath": random.choice(_PATHS),
        "RouterName": random.choice(_ROUTERS),
        "level": "error" if status == 502 else "info",
        "msg": "",
        "time": _iso(at),
    }
    return [(False, json.dumps(record, separators=(",", ":")))]


def paperless(random: Random, at: float) -> list[Line]:
    stamp, roll = _python(at), random.random()
    if roll < 0.04:
        return trouble("paperless", at)
    if roll < 0.1:
        return [
            (
                True,
                f"[{stamp}] [WARNING] [paperless.classifier] Document classification model does not exist (yet), not performing automatic matching.",
            )
        ]
    if roll < 0.4:
        title, number = random.choice(_DOCUMENTS), random.randint(800, 1400)
        return [
            (False, f"[{stamp}] [INFO] [paperless.consumer] Consuming {title}.pdf"),
            (
                False,
                f"[{stamp}] [DEBUG] [paperless.parsing.tesseract] Calling OCRmyPDF with {{'language': 'deu+eng', 'jobs': 2}}",
            ),
            (
                False,
                f"[{stamp}] [INFO] [paperless.consumer] Document 2026-11-{random.randint(1, 28):02d} {title} consumption finished, id {number}",
            ),
        ]
    return [
        (
            False,
            f"[{stamp}] [INFO] [celery.app.trace] Task documents.tasks.index_optimize[{random.getrandbits(32):08x}] succeeded in {random.random():.3f}s: None",
        )
    ]


def gotenberg(random: Random, at: float) -> list[Line]:
    record = {"level": "info", "ts": round(at, 3), "logger": "api", "msg": "request handled", "trace": f"{random.getrandbits(48):012x}",
              "status": 200, "method": "GET", "uri": "/health", "latency_human": f"{random.randint(1, 40)}ms"}  # fmt: skip
    return [(True, json.dumps(record, separators=(",", ":")))]


def tika(random: Random, at: float) -> list[Line]:
    return [(False, f"INFO  [qtp{random.randint(10**8, 10**9)}-{random.randint(20, 60)}] {time.strftime('%H:%M:%S', time.gmtime(at))},{int(at % 1 * 1000):03d} "
                    f"org.apache.tika.server.core.resource.TikaResource tika/ (application/pdf)")]  # fmt: skip


def postgres(random: Random, at: float) -> list[Line]:
    stamp, pid = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d} UTC", random.randint(20, 900)
    if random.random() < 0.12:
        return [
            (True, f'{stamp} [{pid}] ERROR:  duplicate key value violates unique constraint "documents_document_checksum_key"'),
            (True, f"{stamp} [{pid}] DETAIL:  Key (checksum)=({random.getrandbits(64):016x}) already exists."),
        ]
    written = random.randint(8, 300)
    return [
        (True, f"{stamp} [27] LOG:  checkpoint starting: time"),
        (
            True,
            f"{stamp} [27] LOG:  checkpoint complete: wrote {written} buffers ({written / 163.84:.1f}%); write={written / 10:.3f} s, sync=0.006 s",
        ),
    ]


def valkey(random: Random, at: float) -> list[Line]:
    stamp = time.strftime("%d %b %Y %H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}"
    return [
        (False, f"1:M {stamp} * 1 changes in 60 seconds. Saving..."),
        (False, f"1:M {stamp} * Background saving started by pid {random.randint(100, 9000)}"),
    ]


def homepage(random: Random, at: float) -> list[Line]:
    if random.random() < 0.2:
        return [
            (
                False,
                f"[{_iso(at)}] \x1b[31merror\x1b[0m: <httpProxy> Error calling http://gotify/application... connect ECONNREFUSED",
            )
        ]
    return [(False, f"[{_iso(at)}] \x1b[32minfo\x1b[0m: <docker-service-status> {random.randint(9, 14)} containers are running")]


def kuma(random: Random, at: float) -> list[Line]:
    stamp, name = _iso(at), random.choice(("Paperless", "Traefik", "NAS", "Internet", "Gotify"))
    if random.random() < 0.12:
        return [
            (
                False,
                f"\x1b[36m{stamp}\x1b[0m [\x1b[35mMONITOR\x1b[0m] \x1b[33mWARN\x1b[0m: Monitor '{name}': Failing: timeout of 48000ms exceeded | Interval: 60 seconds | Type: http | Down Count: 1",
            )
        ]
    return [
        (
            False,
            f"\x1b[36m{stamp}\x1b[0m [\x1b[35mMONITOR\x1b[0m] \x1b[32mINFO\x1b[0m: Monitor '{name}': Successful Response: {random.randint(3, 220)} ms | Interval: 60 seconds | Type: http",
        )
    ]


def gotify(random: Random, at: float) -> list[Line]:
    stamp = time.strftime("%Y/%m/%d - %H:%M:%S", time.gmtime(at))
    status = random.choices((200, 401, 404), (90, 6, 4))[0]
    return [
        (
            False,
            f'[GIN] {stamp} | {status} | {random.randint(80, 9000):>9}µs | {"172.19.0.4":>15} | GET      "/message?limit=100"',
        )
    ]


def dozzle(random: Random, at: float) -> list[Line]:
    return [
        (True, f'time="{_iso(at)[:19]}Z" level=info msg="streaming logs" container={random.getrandbits(48):012x} host=homelab')
    ]


def watchtower(random: Random, at: float) -> list[Line]:
    return [
        (
            True,
            f'time="{_iso(at)[:19]}Z" level=info msg="Session done" Failed=0 Scanned={random.randint(10, 14)} Updated=0 notify=no',
        )
    ]


def proxy(random: Random, at: float) -> list[Line]:
    blocked = random.random() < 0.08
    word = (
        'level=WARN msg="blocked request" reason="path not allowed" path=/v1.41/containers/create'
        if blocked
        else f"level=INFO msg=allowed method=GET path=/v1.41/{random.choice(('containers/json', 'events', 'info'))}"
    )
    return [(False, f"time={_iso(at)} {word} client=172.20.0.{random.randint(2, 6)}")]


def syncthing(random: Random, at: float) -> list[Line]:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    if random.random() < 0.15:
        return [
            (
                False,
                f'{stamp} WRN Failed to sync item; retrying (folder.id=photos item=IMG_{random.randint(1000, 9999)}.HEIC error="no connected device has the required version")',
            )
        ]
    return [
        (
            False,
            f"{stamp} INF Index exchange done (device=LAPTOP-{random.randint(1, 3)} folder.id={random.choice(('photos', 'documents', 'music'))} items={random.randint(1, 60)})",
        )
    ]


def rest(random: Random, at: float) -> list[Line]:
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at))
    return [(False, f'100.64.0.7 - homelab [{stamp}] "POST /homelab/data/{random.getrandbits(128):032x} HTTP/2.0" 200 0')]


def plain(random: Random, at: float) -> list[Line]:
    return [(False, f"{_iso(at)} INFO request {random.getrandbits(24):06x} done in {random.randint(1, 300)} ms")]


SPEAKERS: tuple[tuple[str, Speaker, float], ...] = (
    ("traefik", traefik, 0.5),
    ("paperless", paperless, 2.5),
    ("gotenberg", gotenberg, 15.0),
    ("tika", tika, 9.0),
    ("postgres", postgres, 12.0),
    ("valkey", valkey, 25.0),
    ("homepage", homepage, 8.0),
    ("kuma", kuma, 3.0),
    ("gotify", gotify, 4.0),
    ("dozzle", dozzle, 20.0),
    ("watchtower", watchtower, 60.0),
    ("socket-proxy", proxy, 1.5),
    ("syncthing", syncthing, 3.0),
    ("rest-server", rest, 1.0),
)
"""(word of the image, who speaks, mean seconds between)."""


def speaker(image: str) -> tuple[Speaker, float]:
    return next(((speak, every) for word, speak, every in SPEAKERS if word in image), (plain, 5.0))


def trouble(image: str, at: float) -> list[Line]:
    """What everybody wants to see in a demo once; nothing of most images."""
    return [(True, line) for line in _TRACE.format(stamp=_python(at)).splitlines()] if "paperless" in image else []
