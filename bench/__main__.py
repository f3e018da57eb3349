"""`python -m bench [NAME [OPTIONS]]`. Without a name: everything that needs no host. Exit status 1 where a budget is exceeded."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import demo_clone, deploy_help, first_paint, guests, one_service, same_commit, soak
from bench.pairs import Failed

ALL = {
    "first_paint": first_paint,
    "deploy_help": deploy_help,
    "guests": guests,
    "same_commit": same_commit,
    "one_service": one_service,
    "soak": soak,
    "demo_clone": demo_clone,
}
NO_HOST = ("deploy_help", "first_paint", "guests")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = parser.add_subparsers(dest="name")
    for name, module in ALL.items():
        module.arguments(names.add_parser(name, help=(module.__doc__ or "").splitlines()[0], description=module.__doc__))
    options = parser.parse_args(argv)
    chosen = [options] if options.name else [parser.parse_args([name]) for name in NO_HOST]
    within = True
    for one in chosen:
        print(f"{one.name}: {(ALL[one.name].__doc__ or '').splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory(prefix="cockpit-bench-") as scratch:
            try:
                within &= ALL[one.name].main(one, Path(scratch))
            except Failed as failure:
                print(f"  not measured: {failure}", file=sys.stderr)
                within = False
    if not options.name:
        others = ", ".join(name for name in ALL if name not in NO_HOST)
        print(f"\nWith a host, packages to fetch, or half an hour: {others} (python -m bench NAME --help)")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
