"""Prints a YAML file as JSON: what yq does on a host, where this machine has none."""

import json
import sys
from pathlib import Path

from ruamel.yaml import YAML

if __name__ == "__main__":
    json.dump(YAML(typ="safe", pure=True).load(Path(sys.argv[1])), sys.stdout)
