"""`cockpit doctor`: a table of checks, what they are given, and how they are run."""

from cockpit.actions.doctor.check import Check
from cockpit.actions.doctor.context import Context
from cockpit.actions.doctor.doctor import Doctor
from cockpit.actions.doctor.examine import Examination, Result, examine
from cockpit.actions.doctor.table import CHECKS

__all__ = ["CHECKS", "Check", "Context", "Doctor", "Examination", "Result", "examine"]
