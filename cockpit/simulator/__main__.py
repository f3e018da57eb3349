"""The simulated world's own process: `python -m cockpit.simulator FOLDER`. Ends, and clears up, when its standard input does."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

from cockpit.domain.errors import CockpitError
from cockpit.simulator.launch import clear
from cockpit.simulator.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cockpit.simulator", allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="private and empty")
    parser.add_argument("--keep", action="store_true", help="leave the folder when the demo ends")
    parser.add_argument("--pace", type=float, default=1.0, help="factor of every delay")
    args = parser.parse_args()
    try:
        return asyncio.run(_serve(args.folder, args.pace))
    finally:
        clear(args.folder, keep=args.keep)


async def _serve(folder: Path, pace: float) -> int:
    log = (folder / "simulator.log").open("a", encoding="utf-8", buffering=1)

    def say(text: str) -> None:
        log.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # who leaves in the middle of a stream is nothing to write down
    over = asyncio.Event()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            over.set()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), heard)
    world = World(folder, say, pace)
    starting = asyncio.ensure_future(world.start())
    ending = asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return 0
        try:
            answer = starting.result()
        except CockpitError as error:
            answer = {"error": [error.what, error.why, error.hint]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        await ending
        return 0
    finally:
        starting.cancel()
        ending.cancel()
        await asyncio.gather(starting, ending, return_exceptions=True)
        await world.close()
        log.close()


if __name__ == "__main__":
    sys.exit(main())
