"""cockpit.yaml and a person's own settings, read into the types of cockpit.domain.settings."""

from cockpit.config.fields import schema
from cockpit.config.load import find, load
from cockpit.config.user import load_user
from cockpit.config.yaml import parse, plain

__all__ = ["find", "load", "load_user", "parse", "plain", "schema"]
