"""ports.Host over one SSH connection: the probe reads, cockpit-transaction writes (docs/host-protocol.md)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cockpit.adapters.nixos import questions
from cockpit.adapters.nixos.parse import facts_from
from cockpit.adapters.ssh import SshConnection
from cockpit.domain.closures import package_changes
from cockpit.domain.containers import Lifecycle
from cockpit.domain.contents import Contents, is_store_path
from cockpit.domain.errors import (
    BY_EXIT,
    BuildFailed,
    CockpitError,
    Defect,
    Exit,
    OperationFailed,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from cockpit.domain.hosts import HostFacts
from cockpit.domain.plan import Change, PackageChange, ServiceChange
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import lines, plain
from cockpit.ports import BuildResult, Clock, HostEvent

TRANSACTION = "sudo -n /run/current-system/sw/bin/cockpit-transaction"
BUILD_TIMEOUT = 3600.0
RUN_TIMEOUT = 300.0
COMPOSE_TIMEOUT = 1600.0
"""The unit on the host ends by itself before."""
SILENCE = 60.0
"""Seconds without an event after which a watch looks whether the connection still lives (the host says something more often)."""

_UNIT = re.compile(r"^[A-Za-z0-9@:._\\-]+$")


class NixosHost:
    """A host that is reached through `ssh`."""

    def __init__(self, settings: HostSettings, ssh: SshConnection, clock: Clock) -> None:
        self._settings = settings
        self._ssh = ssh
        self._clock = clock
        self._program = TRANSACTION
        self._diffs: dict[tuple[str, str], tuple[PackageChange, ...]] = {}
        self._contents: dict[str, Contents] = {}

    @property
    def settings(self) -> HostSettings:
        return self._settings

    async def facts(self, *, deep: bool = True) -> HostFacts:
        answer = await self._ssh.ask(
            questions.deep() if deep else questions.quick(), stdin=questions.PROBE.read_bytes(), deadline=30.0
        )
        return facts_from(self._settings.name, answer.out, self._clock.now())

    # ---- verbs of cockpit-transaction --------------------------------------------------------------------------------------

    async def _verb(
        self,
        *words: str,
        stdin: bytes | AsyncIterator[bytes] | None = b"",
        deadline: float = 60.0,
        ssh: SshConnection | None = None,
    ) -> dict[str, Any]:
        answer = await (ssh or self._ssh).exec(f"{self._program} {shlex.join(words)}", stdin=stdin, deadline=deadline)
        return self._understood(words[0], answer.code, answer.out, answer.err)

    def _understood(self, verb: str, code: int, out: bytes, err: bytes) -> dict[str, Any]:
        try:
            data = json.loads(out) if out.strip() else {}
        except (ValueError, RecursionError):
            data = {}
        if isinstance(data, dict) and isinstance(data.get("error"), dict):
            raise self._error(data["error"])
        if code != 0 or not isinstance(data, dict):
            why = " ".join(lines(err.decode("utf-8", "replace"))[-3:])
            if "sudo" in why or code in (126, 127):
                raise Refused(
                    f"{self._settings.name} does not let {self._settings.user} run cockpit-transaction",
                    why or "it is not there",
                    "does the host import nixosModules.cockpit? cockpit bootstrap",
                )
            raise Defect(
                f"cockpit-transaction {verb} on {self._settings.name} ended with {code}", why, "journalctl on the host has more"
            )
        return data

    @staticmethod
    def _error(error: dict[str, Any]) -> CockpitError:
        try:
            kind = BY_EXIT[Exit(int(error.get("exit", 1)))]
        except (ValueError, TypeError, KeyError):
            kind = Defect
        why = "\n".join(lines(str(error.get("why", ""))))
        return kind(plain(str(error.get("what", "the host failed"))), why, plain(str(error.get("hint", ""))))

    async def haves(self) -> tuple[str, ...]:
        data = await self._verb("state")
        return tuple(sha for sha in data.get("haves", ()) if isinstance(sha, str) and re.fullmatch(r"[0-9a-f]{40}", sha))

    async def receive(self, commit: str, pack: AsyncIterator[bytes]) -> None:
        await self._verb("receive", commit, stdin=pack, deadline=600.0)

    async def build(self, run: str, commit: str) -> AsyncIterator[str | BuildResult]:
        words = shlex.join(("build", run, commit, self._settings.flake_folder, self._settings.flake_attribute))
        out, code, last = b"", 0, b""
        async for kind, data in self._ssh.both(f"{self._program} {words} </dev/null", deadline=BUILD_TIMEOUT):
            if kind == "err":
                last = data
                yield plain(data.decode("utf-8", "replace").rstrip("\n"))
            elif kind == "out":
                out = data
            else:
                code = int(data)
        answer = self._understood("build", code, out, last)
        closure = answer.get("closure")
        if not isinstance(closure, str) or not closure.startswith("/nix/store/"):
            raise BuildFailed("the build named no system", plain(out.decode("utf-8", "replace")[:200]))
        yield BuildResult(closure, float(answer.get("seconds") or 0.0))

    async def compose_plan(self, project: str) -> tuple[ServiceChange, ...]:
        answer = await self._verb("compose", "plan", project, deadline=120.0)
        return tuple(_service_changes(answer.get("services")))

    async def compose(
        self, verb: Lifecycle, project: str, service: str, request: dict[str, Any]
    ) -> AsyncIterator[str | dict[str, Any]]:
        words = shlex.join(("compose", verb.value, project, *([service] if service else [])))
        out, code, told = b"", 0, b""
        await self._ssh.exec("true", deadline=15.0)  # what is lost from here on may have begun
        try:
            async for kind, data in self._ssh.both(
                f"{self._program} {words}", deadline=COMPOSE_TIMEOUT, stdin=json.dumps(request).encode()
            ):
                if kind == "err":
                    told = data if data.strip() else told
                    yield plain(data.decode("utf-8", "replace").rstrip("\n"))
                elif kind == "out":
                    out = data
                else:
                    code = int(data)
        except Unreachable as error:
            raise OutcomeUnknown(
                f"{self._settings.name} did not tell how it ended",
                str(error),
                "the host ends what it began; look before you try again",
            ) from None
        try:
            yield self._understood("compose", code, out, told)
        except OperationFailed as error:
            # what compose said last is why
            last = plain(told.decode("utf-8", "replace").strip())
            raise OperationFailed(error.what, ": ".join(w for w in (error.why, last) if w), error.hint) from None

    async def check(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._verb("check", stdin=json.dumps(request).encode(), deadline=300.0)

    async def run(self, request: dict[str, Any]) -> None:
        await self._verb("run", stdin=json.dumps(request).encode(), deadline=RUN_TIMEOUT)

    async def confirm(self, run: str, proof: str) -> None:
        async with self._ssh.fresh() as ssh:
            await self._verb("confirm", run, proof, ssh=ssh, deadline=15.0)

    async def recover(self) -> None:
        await self._verb("recover", deadline=30.0)

    async def outcome(self, run: str) -> dict[str, Any] | None:
        data = await self._verb("state", run)
        outcome = data.get("outcome")
        if isinstance(outcome, dict):
            return outcome
        return None

    async def watch(self, run: str, offset: int = 0) -> AsyncIterator[HostEvent]:
        if not re.fullmatch(r"[0-9a-z]{1,16}", run):
            raise Refused(f"{run!r} is no run id")
        file = f"/run/cockpit/runs/{run}/events"
        # an empty line now and then tells a dead connection from a quiet host; the file may not be there yet
        command = (
            f"f={file}; i=0; while [ ! -r $f ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; [ -r $f ] || exit 3; "
            f"(while sleep 10; do echo; done) & p=$!; trap 'kill $p' EXIT; tail -c +{offset + 1} -s 0.1 -F $f 2>/dev/null"
        )
        position = offset
        async for line in self._ssh.lines(command, idle=SILENCE):
            if line == b"\n":
                continue
            if not line.endswith(b"\n"):
                break
            position += len(line)
            event = _event(line, position)
            if event is None:
                continue
            yield event
            if event.event == "closed":
                return
        raise Unreachable(f"{self._settings.name} does not tell more about run {run}", "the connection or the host went away")

    # ---- details ------------------------------------------------------------------------------------------------------------

    async def diff(self, old: str, new: str) -> tuple[PackageChange, ...]:
        if (old, new) not in self._diffs:
            for path in (old, new):
                if not re.fullmatch(r"/nix/store/[A-Za-z0-9+._?=-]+", path):
                    raise Refused(f"{path!r} is no store path")
            command = f"PATH=/run/current-system/sw/bin:$PATH; nix-store -qR {old}; echo; nix-store -qR {new}"
            answer = await self._ssh.exec(command, deadline=60.0)
            if answer.code != 0:
                raise CockpitError("the closures could not be read", " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:]))
            left, _, right = answer.out.decode("utf-8", "replace").partition("\n\n")
            self._diffs[old, new] = tuple(package_changes(left.split(), right.split()))
        return self._diffs[old, new]

    async def contents(self, closure: str | None = None) -> Contents:
        from cockpit.adapters.nixos.contents import built, running

        if closure is None:
            return await running(self._settings.name, self._asked)
        if closure not in self._contents:
            if not is_store_path(closure):
                raise Refused(f"{closure!r} is no store path")
            self._contents[closure] = await built(self._settings.name, self._asked, closure)
        return self._contents[closure]

    async def _asked(self, script: bytes, *words: str) -> bytes:
        """Output of a script that only reads, run by the shell there."""
        answer = await self._ssh.exec(shlex.join(("sh", "-s", "--", *words)), stdin=script, deadline=60.0)
        if answer.code != 0:
            raise CockpitError(
                f"{self._settings.name} could not be read", " ".join(lines(answer.err.decode("utf-8", "replace"))[-2:])
            )
        return answer.out

    async def units(self) -> tuple[tuple[str, str, str], ...]:
        command = "systemctl list-units --type=service,timer --all --plain --no-legend --no-pager --full"
        answer = await self._ssh.exec(command, deadline=20.0)
        found: list[tuple[str, str, str]] = []
        for line in answer.out.decode("utf-8", "replace").splitlines():
            parts = line.split(None, 4)
            if len(parts) >= 4 and parts[1] != "not-found":
                found.append((plain(parts[0]), plain(parts[2]), plain(parts[4]) if len(parts) > 4 else ""))
        rank = {"failed": 0, "activating": 1, "deactivating": 1, "active": 2}
        found.sort(key=lambda unit: (rank.get(unit[1], 3), unit[0]))
        return tuple(found)

    async def journal(self, unit: str | None = None, lines: int = 200) -> tuple[str, ...]:
        if unit is not None and not _UNIT.match(unit):
            raise Refused(f"{unit!r} is no unit")
        select = f"-u {shlex.quote(unit)}" if unit else "-p warning"
        answer = await self._ssh.exec(f"journalctl {select} -n {int(lines)} -o short-iso --no-pager -q", deadline=20.0)
        return tuple(plain(line) for line in answer.out.decode("utf-8", "replace").splitlines())

    async def close(self) -> None:
        await self._ssh.close()


def _service_changes(found: object) -> Iterator[ServiceChange]:
    for one in found if isinstance(found, list) else []:
        if not isinstance(one, dict):
            continue
        try:
            change = Change(one.get("change"))
        except ValueError:
            continue
        images = [plain(str(one[key])) if one.get(key) else None for key in ("old_image", "new_image")]
        words = [plain(str(one.get(key) or "")) for key in ("project", "service", "why")]
        yield ServiceChange(words[0], words[1], change, words[2], *images)


def _event(line: bytes, position: int) -> HostEvent | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None

    def number(key: str) -> float | None:
        value = data.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    payload = data.get("data")
    return HostEvent(
        offset=position,
        time=number("t") or 0.0,
        event=plain(str(data.get("event", ""))),
        phase=plain(str(data.get("phase", ""))),
        text=plain(str(data.get("text", ""))),
        seconds=number("seconds"),
        left=number("left"),
        done=number("done"),
        data=payload if isinstance(payload, dict) else {},
    )
