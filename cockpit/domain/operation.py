"""A change that is done in one go and is no release: power of a guest, lifecycle of a service, a commit; what is asked before."""

from __future__ import annotations

from msgspec import Struct

from cockpit.domain.plan import Tier


class Impact(Struct, frozen=True):
    """One line of what an operation interrupts or destroys."""

    shape: str
    """A shape of design/look.md: `✕` stops or is lost, `↻` restarts, `●` goes on, `▲` mind this."""
    what: str
    why: str = ""


class Step(Struct, frozen=True):
    """What is done to one target."""

    target: str
    """`homelab/paperless/web`, `home/101`, `compose/core/compose.yaml`."""
    commands: tuple[str, ...]
    """What a person would type to get the same, in full: for the dialog and the journal. Never a secret."""
    protected: bool = False
    """On a host or guest that settings protect: raises the tier by one."""


class Operation(Struct, frozen=True):
    run: str
    action: str
    """Id of the catalogue."""
    verb: str
    """What the button says: `restart`, `roll back to before-update`."""
    title: str
    """Verb and object: `Restart core/traefik on homelab`."""
    tier: Tier
    """How dangerous it is as planned, whatever the key usually means."""
    steps: tuple[Step, ...]
    interrupts: tuple[Impact, ...] = ()
    lost: tuple[Impact, ...] = ()
    """What does not come back."""
    afterwards: tuple[Impact, ...] = ()
    confirm: str = ""
    """What has to be typed for a loss of data; default: the first target."""

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(step.target for step in self.steps)

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(command for step in self.steps for command in step.commands)

    @property
    def typed(self) -> str:
        """What has to be typed for a loss of data."""
        return self.confirm or (self.steps[0].target if self.steps else "")
