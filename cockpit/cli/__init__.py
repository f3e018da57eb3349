"""The command line: parse, run an action, render its events, exit code."""
