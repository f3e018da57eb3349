"""The Docker engine, through its unix socket (local, or forwarded through a host's SSH connection)."""

from cockpit.adapters.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
