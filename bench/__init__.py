"""What we claim about speed, as commands anyone can run: `python -m bench NAME`. Ratios are measured side by side in one run."""
