"""Start, stop and restart by the docker SDK. The answer says that the engine tried; what became of it is read afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.domain.containers import Lifecycle
from cockpit.domain.errors import Conflict, OperationFailed
from cockpit.domain.text import plain

if TYPE_CHECKING:
    import docker


def change(api: docker.APIClient, host: str, container: str, verb: Lifecycle, grace: float) -> None:
    """Conflict where it is gone; OperationFailed with the engine's own words where it cannot."""
    import docker.errors

    try:
        if verb is Lifecycle.START:
            api.start(container)
        elif verb is Lifecycle.STOP:
            # the SDK waits for the answer this much longer than for others
            api.stop(container, timeout=round(grace))
        elif verb is Lifecycle.RESTART:
            api.restart(container, timeout=round(grace))
        else:
            raise AssertionError(f"{verb.value} is not done by the engine")
    except docker.errors.NotFound:
        raise Conflict("the container is gone", "it was removed or made anew since it was read", "ctrl+r reads again") from None
    except docker.errors.APIError as error:
        why = plain(str(error.explanation or error))[:500]
        raise OperationFailed(f"the container engine of {host} could not {verb.value} it", why) from None
