"""`python -m scripts.pictures [PANE ...]`: the panes of the running demo, at three sizes, as docs/pictures/PANE-SIZE.svg."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

from cockpit import wiring
from cockpit.simulator import launch
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.widgets.tab_bar import PANES
from scripts.paths import TOP

SIZES = ((160, 50), (80, 24), (45, 20))
LONGEST = 60.0
SIGNS = {
    "overview": ("2 hosts, all well",),
    "vms": ("homelab", "opnsense"),
    "hosts": ("homelab", "nas"),
    "services": ("core",),
    "files": ("compose",),
    "releases": ("homelab", "done"),
}
"""What a pane says once it lives."""
KEYS = {
    "vms": ("j",) * 5,  # a guest with a backup at work
    "services": ("j", "j"),
    "files": ("slash", *"paperless/comp", "enter"),
}
"""What is pressed before the picture."""
REST = 3.0
"""Seconds for graphs and logs to fill."""
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.S)
"""A picture asks no other site for anything."""


async def pictures(config: Path, folder: Path, panes: tuple[str, ...]) -> list[Path]:
    made = []
    for columns, rows in SIZES:
        cockpit = wiring.open_cockpit(config=str(config), headless=False)
        app = CockpitApp(cockpit)
        async with app.run_test(size=(columns, rows)) as pilot:
            main = cast(MainScreen, app.screen_stack[0])
            for pane in panes:
                await main.show_pane(pane)
                await _until(app, SIGNS[pane])
                await pilot.press(*KEYS.get(pane, ()))
                await asyncio.sleep(REST)
                main.frame()
                await pilot.pause()
                path = folder / f"{pane}-{columns}x{rows}.svg"
                path.write_text(_FONTS.sub("", app.export_screenshot(title=f"cockpit: {pane}")), encoding="utf-8")
                made.append(path)
    return made


async def _until(app: CockpitApp, words: tuple[str, ...]) -> None:
    end = time.monotonic() + LONGEST
    while True:
        strips = app.screen._compositor.render_strips()
        text = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        if all(word in text for word in words):
            return
        if time.monotonic() > end:
            raise SystemExit(f"no {words} in\n{text}")
        await asyncio.sleep(0.1)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.pictures", description=__doc__)
    parser.add_argument("panes", nargs="*", choices=[[], *PANES], metavar="PANE", help=f"default: {', '.join(PANES)}")
    parser.add_argument("--to", type=Path, default=TOP / "docs/pictures", metavar="FOLDER")
    options = parser.parse_args(argv)
    folder = options.to.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with launch.demo() as config:
        environ = launch.environment(config.parents[1], os.environ)
        os.environ.clear()
        os.environ.update(environ | {"COLORTERM": "truecolor"})
        tempfile.tempdir = None  # it was looked up already
        os.chdir(config.parent)
        for path in asyncio.run(pictures(config, folder, tuple(options.panes) or PANES)):
            print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
