"""What PVE, requests and the network say, as errors that a person can act on. PVE tells most of it in the text of a 500."""

from __future__ import annotations

import re

from cockpit.domain.errors import CockpitError, HostKeyMismatch, Locked, OperationFailed, Refused, Unreachable, UsageError
from cockpit.domain.settings import ClusterSettings
from cockpit.domain.text import plain

_GOT = re.compile(r'Expected "([0-9a-fA-F]+)", got "([0-9a-fA-F]+)"')
_RIGHT = re.compile(r"Permission check failed \((?P<path>/[^,)]*), *(?P<right>[^)]+)\)")
_LOCK = re.compile(r"is locked \(([\w -]+)\)")
_MISSING = re.compile(r"Configuration file .*/(\d+)\.conf' does not exist|(?:VM|CT) (\d+) (?:does not exist|not found)")


class SecondFactor(Exception):
    """The account wants a second factor, which a program has not."""


class CutShort(Unreachable):
    """The connection ended before the answer: what was asked for may have happened."""


class NotReached(Unreachable):
    """Nothing was sent: what was asked for has not happened."""


class SignedOut(Refused):
    """401: the ticket is no longer valid, or the secret is wrong. Nothing happened."""


def colons(digest: str) -> str:
    return ":".join(digest.upper()[i : i + 2] for i in range(0, len(digest), 2))


def explain(error: Exception, cluster: ClusterSettings, address: str) -> CockpitError:
    """The cause of an exception of requests or proxmoxer."""
    import requests
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
    if isinstance(error, requests.exceptions.SSLError):
        return certificate(str(error), cluster, where)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotReached(f"{where} does not answer", "no connection within 4s", "is it up, and is the mesh connected?")
    if isinstance(error, requests.exceptions.ReadTimeout):
        return CutShort(f"{where} does not answer", "connected, and then nothing", "its pveproxy may be overloaded")
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return not_pve(cluster, address, "it redirects somewhere else")
    text = plain(str(error))
    if isinstance(error, requests.exceptions.ConnectionError):
        for sign, why in (
            ("Connection refused", "connection refused"),
            ("Name or service not known", "its name is not known"),
            ("Temporary failure in name resolution", "its name cannot be resolved"),
            ("nodename nor servname", "its name is not known"),
            ("No route to host", "no route to it"),
            ("Network is unreachable", "the network is unreachable"),
            ("NewConnectionError", "no connection"),
        ):
            if sign in text:
                return NotReached(f"{where} cannot be reached", why, "is pveproxy running there? `systemctl status pveproxy`")
        return CutShort(f"{where} cut the connection", "the answer never came", "")
    if isinstance(error, (KeyError, ValueError, TypeError)):
        return not_pve(cluster, address, "no JSON as Proxmox VE sends it")
    return CutShort(f"{where} cannot be read", text[:200])


def not_pve(cluster: ClusterSettings, address: str, why: str) -> Unreachable:
    return Unreachable(
        f"{cluster.name} at {address} does not answer as Proxmox VE",
        why,
        "a login page or a proxy in between? `addresses` names the nodes themselves, port 8006",
    )


def certificate(text: str, cluster: ClusterSettings, where: str) -> Unreachable:
    if found := _GOT.search(text):
        return HostKeyMismatch(
            f"{where} is not the machine that is pinned",
            f"its certificate is {colons(found[2])}, settings say {colons(found[1])}",
            f"a renewed certificate? compare with `pvenode cert info` there, then clusters.{cluster.name}.fingerprint",
        )
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        why = plain(text.rpartition("certificate verify failed:")[2]).partition("(_ssl")[0].strip() or "not trusted"
        return NotReached(
            f"the certificate of {where} is not trusted",
            why,
            f"pin it: clusters.{cluster.name}.fingerprint, the SHA-256 that `pvenode cert info` shows there",
        )
    return NotReached(f"no TLS with {where}", plain(text)[-160:], "does port 8006 of a node answer there?")


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
