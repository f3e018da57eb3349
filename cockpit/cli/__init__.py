"""The command line: parse, run an action, render its events, return its exit code."""
