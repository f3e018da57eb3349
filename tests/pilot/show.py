"""Opens the app on the sample homelab: `python -m tests.pilot.show [pane] [dark|light|contrast] [ascii]`."""

from __future__ import annotations

import sys

from cockpit.domain.settings import Theme, UserSettings
from cockpit.tui.app import CockpitApp
from tests.pilot.sample import sample


def main() -> int:
    words = sys.argv[1:]
    theme = next((Theme(w) for w in words if w in ("dark", "light", "contrast")), Theme.DARK)
    panes = [w for w in words if w not in ("dark", "light", "contrast", "ascii")]
    app = CockpitApp(sample(UserSettings(theme=theme, ascii="ascii" in words)), start=panes[0] if panes else "hosts")
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    raise SystemExit(main())
