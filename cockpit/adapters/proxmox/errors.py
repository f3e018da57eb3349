"""What PVE, requests and the network say, as errors that a person can act on. PVE tells most of it in the text of a 500."""

from __future__ import annotations

import re
import ssl

from cockpit.domain.errors import CockpitError, HostKeyMismatch, Locked, OperationFailed, Refused, Unreachable, UsageError
from cockpit.domain.settings import ClusterSettings
from cockpit.domain.text import plain

_RIGHT = re.compile(r"Permission check failed \((?P<path>/[^,)]*), *(?P<right>[^)]+)\)")
_LOCK = re.compile(r"is locked \(([\w -]+)\)")
_MISSING = re.compile(r"Configuration file .*/(\d+)\.conf' does not exist|(?:VM|CT) (\d+) (?:does not exist|not found)")


class SecondFactor(Exception):
    """The account wants a second factor, which a program has not."""


class Redirected(Exception):
    """An answer that leads somewhere else."""


class NoConnection(Exception):
    """No TLS connection was made, so nothing was sent."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class WrongCertificate(Exception):
    """`got` is the SHA-256 of what was presented instead of the pinned one."""

    def __init__(self, got: str) -> None:
        super().__init__(got)
        self.got = got


class CutShort(Unreachable):
    """The connection ended before the answer: what was asked for may have happened."""


class NotReached(Unreachable):
    """Nothing was sent: what was asked for has not happened."""


class SignedOut(Refused):
    """401: the ticket is no longer valid, or the secret is wrong. Nothing happened."""


def colons(digest: str) -> str:
    return ":".join(digest.upper()[i : i + 2] for i in range(0, len(digest), 2))


def explain(error: Exception, cluster: ClusterSettings, address: str) -> CockpitError:
    """The cause of an exception of a connection or of proxmoxer."""
    from proxmoxer.core import ResourceException

    where = f"{cluster.name} at {address}"
    if isinstance(error, ResourceException):
        return answered(error.status_code, _words(error), cluster, error.errors)
    if isinstance(error, SecondFactor):
        return Refused(
            f"{cluster.name} wants a second factor of {cluster.user}",
            "a password alone is not enough",
            "make an API token for it: Datacenter, Permissions, API Tokens",
        )
    if isinstance(error, WrongCertificate):
        return HostKeyMismatch(
            f"{where} is not the machine that is pinned",
            f"its certificate is {colons(error.got)}, settings say {cluster.fingerprint}",
            f"a renewed certificate? compare with `pvenode cert info` there, then clusters.{cluster.name}.fingerprint",
        )
    if isinstance(error, NoConnection):
        return unconnected(error.cause, cluster, where)
    if isinstance(error, Redirected):
        return not_pve(cluster, address, "it redirects somewhere else")
    if isinstance(error, TimeoutError):
        return CutShort(f"{where} does not answer", "connected, and then nothing", "its pveproxy may be overloaded")
    if isinstance(error, (KeyError, ValueError, TypeError)):
        return not_pve(cluster, address, "no JSON as Proxmox VE sends it")
    return CutShort(f"{where} cut the connection", plain(str(error))[:200] or "the answer never came")


def not_pve(cluster: ClusterSettings, address: str, why: str) -> CutShort:
    return CutShort(
        f"{cluster.name} at {address} does not answer as Proxmox VE",
        why,
        "a login page or a proxy in between? `addresses` names the nodes themselves, port 8006",
    )


def unconnected(cause: OSError, cluster: ClusterSettings, where: str) -> NotReached:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotReached(
            f"the certificate of {where} is not trusted",
            cause.verify_message,
            f"pin it: clusters.{cluster.name}.fingerprint, the SHA-256 that `pvenode cert info` shows there",
        )
    if isinstance(cause, TimeoutError):
        return NotReached(f"{where} does not answer", "no connection within 4s", "is it up, and is the mesh connected?")
    if isinstance(cause, ssl.SSLError):
        return NotReached(f"no TLS with {where}", plain(cause.reason or str(cause)), "does port 8006 of a node answer there?")
    why = (cause.strerror or str(cause)).lower()
    return NotReached(f"{where} cannot be reached", plain(why), "is pveproxy running there? `systemctl status pveproxy`")


def answered(status: int, text: str, cluster: ClusterSettings, fields: object = None) -> CockpitError:
    """An HTTP status with PVE's words."""
    name, user = cluster.name, cluster.user
    if status == 401:
        if "authentication failure" in text or "no such user" in text or "value" in text:
            kind = "token" if cluster.token else "password"
            return SignedOut(
                f"{name} does not let {user} in",
                f"wrong user or {kind}",
                f"clusters.{name}: `user` and `secret`" + ("" if cluster.token else "; an API token is the better choice"),
            )
        return SignedOut(f"{name} has signed {user} out", text, "")
    if status == 403:
        if found := _RIGHT.search(text):
            right, path = found["right"].replace("|", " or "), found["path"]
            option = f"--tokens '{user}'" if cluster.token else f"--users {user}"
            return Refused(
                f"{user} may not do this on {name}",
                f"it lacks {right} on {path}",
                f"a role with it: pveum acl modify {path} {option} --roles ROLE",
            )
        return Refused(f"{user} may not do this on {name}", text, "docs/guests.md lists the rights")
    if found := _LOCK.search(text):
        return Locked(f"the guest is locked ({found[1]})", "a task of PVE works on it", "wait until its task ends")
    if "can't lock file" in text or ("got timeout" in text and "lock" in text):
        return Locked("the guest is locked", "another task holds its configuration", "wait until that task ends")
    if "no quorum" in text:
        return OperationFailed(
            f"{name} has no quorum", "too few of its nodes see each other, so nothing can be changed", "`pvecm status` on a node"
        )
    if found := _MISSING.search(text):
        return UsageError(f"there is no guest {found[1] or found[2]} in {name}", "it was removed, or moved to another node")
    if status in (595, 596, 597, 598, 599) or "hostname lookup" in text:
        return Unreachable(
            f"a node of {name} is offline", text or "no route to it", "its guests are shown as they were last seen"
        )
    if status in (502, 503, 504):
        return Unreachable(f"{name} is not ready", f"HTTP {status} {text}".strip(), "its pveproxy or pvedaemon is starting?")
    if status == 501:
        return OperationFailed(f"{name} does not know this call", text, "it needs a newer Proxmox VE")
    if isinstance(fields, dict) and fields:
        wrong = "; ".join(f"{plain(str(k))}: {plain(str(v)).strip()}" for k, v in fields.items() if k != "errors")
        return OperationFailed(f"{name} refuses the values", wrong or text)
    return OperationFailed(f"{name} refuses", text or f"HTTP {status}")


def _words(error: Exception) -> str:
    """The reason phrase carries PVE's message."""
    content = getattr(error, "content", "")
    return plain(str(content).partition(" - {")[0]).strip().rstrip(".")
