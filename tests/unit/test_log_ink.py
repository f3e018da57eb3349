"""What a log line says once its time and level stand left of it."""

from __future__ import annotations

import pytest

from cockpit.domain.services import Level
from cockpit.tui.ink import text_of
from cockpit.tui.widgets.log_ink import message

ACCESS = (
    '{"ClientHost":"100.64.0.3","DownstreamStatus":502,"Duration":3100000,"RequestMethod":"GET","RequestPath":"/api/tasks/",'
    '"RouterName":"paperless@docker","StartUTC":"2026-11-23T20:22:01Z","level":"info","msg":"","time":"2026-11-23T20:22:01Z",'
    '"OriginStatus":502}'
)


@pytest.mark.parametrize(
    ("line", "level", "said"),
    [
        ('time=2026-11-23T20:22:01.185Z level=WARN msg="blocked request" path=/v1', Level.WARN, "blocked request path=/v1"),
        ('level=info msg="a \\"b\\"\\u001b[2J" n=1', Level.INFO, 'a "b" n=1'),
        ("GET /login user=ada ms=3", Level.INFO, "GET /login  user=ada ms=3"),
        ("user=ada ms=3", Level.INFO, "user=ada ms=3"),
        (ACCESS, Level.INFO, "GET /api/tasks/ status=502 ms=3 router=paperless@docker client=100.64.0.3 OriginStatus=502"),
        ("[2026-11-23 20:22:01,185] [INFO] [celery] ready", Level.INFO, "[celery] ready"),
        ("2026-11-23T20:22:01+01:00 ERR cannot dial: refused", Level.ERROR, "cannot dial: refused"),
        ("2026-11-23 20:22:01.185 UTC [27] LOG:  checkpoint complete", Level.INFO, "[27] LOG:  checkpoint complete"),
        ("2026/11/23 20:22:01 Info report follows", Level.UNKNOWN, "Info report follows"),
        ("2026-11-23 20:22:01", Level.UNKNOWN, "2026-11-23 20:22:01"),
        ("error is a word of the sentence", Level.ERROR, "error is a word of the sentence"),
        ("2026-11-23 is a day", Level.UNKNOWN, "2026-11-23 is a day"),
        ("{not json", Level.UNKNOWN, "{not json"),
    ],
)
def test_a_line_without_what_stands_left_of_it(line: str, level: Level, said: str) -> None:
    shown = text_of(message(line, level))
    assert " ".join(shown.split()) == " ".join(said.split())
    assert "\x1b" not in shown
