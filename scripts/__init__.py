"""What the Makefile runs: checks, tests with their summary, generated documentation. No part of the program."""
