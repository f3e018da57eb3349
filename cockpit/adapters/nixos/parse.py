"""What the probe printed -> HostFacts. Everything in it is outside text: damaged or missing parts cost only themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from cockpit.adapters.nixos.attempts import attempt_from, generation_outcome, hold_in_force
from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import Attempt, Badge, Closure, Disk, Generation, Holder, HostFacts, Manifest, ManifestProject, Result
from cockpit.domain.text import plain

_LINK = re.compile(r"^system-(\d{1,9})-link$")
_STORE = re.compile(r"^/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+$")
_SHA = re.compile(r'"([0-9a-f]{40})"')


def facts_from(name: str, printed: bytes, read_at: float) -> HostFacts:
    """Raises CockpitError where the probe did not run at all."""
    fields = _fields(printed)
    if "probe" not in fields:
        raise CockpitError(
            f"{name} could not be read",
            plain(printed[:200].decode("utf-8", "replace")),
            "can the user run sh, readlink and grep there?",
        )
    running = _store(fields.get("running"))
    profile = _store(fields.get("profile"))
    match = _LINK.match(fields.get("profile_link", "").rpartition("/")[2])
    manifest = _manifest(fields.get("manifest"))
    attempts = tuple(_attempts(name, fields))
    active = fields.get("unit", "inactive").strip() in ("active", "activating", "deactivating", "reloading")
    stopped = tuple(_stopped(manifest, fields.get("containers", ""))) if manifest and "containers" in fields else ()
    failed = tuple(plain(line.split()[0]) for line in fields.get("failed", "").splitlines() if line.split())
    versions = {parts[0]: parts[1:] for line in fields.get("versions", "").splitlines() if len(parts := line.split()) >= 1}
    commits = dict(_commits(fields.get("revisions", ""))) | dict(_commits(fields.get("commits", "")))
    boot_default = _store(fields.get("boot_default")) or None
    booted = _store(fields.get("booted")) or None
    kernels = [line.split() for line in fields.get("kernels", "").splitlines()]
    needs_reboot = len(kernels) == 2 and len(kernels[0]) == 3 and kernels[0] != kernels[1]
    hold = hold_in_force(attempts)
    current = _closure(running, "/run/current-system", versions, commits, manifest is not None)
    if manifest and manifest.commit and current.commit is None:
        current = Closure(current.path, manifest.commit, None, current.nixos, current.kernel, True)
    live_ill = ", ".join((*stopped, *failed))
    generations: list[Generation] = []
    for number, created, path in _generations(fields.get("generations", "")):
        closure = _closure(path, f"/nix/var/nix/profiles/system-{number}-link", versions, commits, None)
        badges: set[Badge] = set()
        if path == running and (profile != running or match is None or int(match[1]) == number):
            badges.add(Badge.RUNNING)
        if path == boot_default and (not match or profile != boot_default or int(match[1]) == number):
            badges.add(Badge.DEFAULT)
        if path == booted:
            badges.add(Badge.BOOTED)
        if Badge.RUNNING in badges and needs_reboot:
            badges.add(Badge.NEEDS_REBOOT)
        if closure.commit is None:
            badges.add(Badge.DIRTY)
        if hold and hold.generation == number:
            badges.add(Badge.HELD)
        outcome, by = generation_outcome(number, attempts, Badge.RUNNING in badges, live_ill, read_at)
        generations.append(Generation(number, closure, created, frozenset(badges), outcome, by))
    generations.sort(key=lambda g: -(g.number or 0))
    _one_badge(generations, Badge.RUNNING)
    _one_badge(generations, Badge.DEFAULT)
    if generations and not any(Badge.RUNNING in g.badges for g in generations) and running:
        generations.insert(0, Generation(None, current, None, frozenset({Badge.RUNNING, Badge.TEST_ONLY})))
    booted_kernel = versions.get("/run/booted-system", [])
    return HostFacts(
        name=name,
        read_at=read_at,
        host_time=_number(fields.get("time")) or read_at,
        running=current,
        booted=booted,
        boot_default=boot_default,
        profile=profile or None,
        profile_generation=int(match[1]) if match else None,
        generations=tuple(generations),
        failed_units=failed,
        disks=tuple(_disks(fields.get("disks", ""))),
        load=_number(fields.get("load")),
        uptime=_number(fields.get("uptime")),
        reboot=(plain(booted_kernel[-1]) if booted_kernel else "?", current.kernel or "?") if needs_reboot else None,
        attempts=tuple(_with_activity(attempts, active)),
        hold=hold,
        holder=_holder(fields.get("holder"), active),
        owned_projects=tuple(plain(str(p)) for p in _json(fields.get("owned"), list) or ()),
        manifest=manifest,
        stopped=stopped,
    )


def _fields(printed: bytes) -> dict[str, str]:
    parts = printed.decode("utf-8", "replace").split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _store(text: str | None) -> str:
    text = (text or "").strip()
    return text if _STORE.match(text) else ""


def _number(text: str | None) -> float | None:
    try:
        number = float((text or "").strip())
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None


def _json(text: str | None, kind: type) -> Any:  # noqa: ANN401 - whatever the host wrote
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None


def _generations(text: str) -> Iterator[tuple[int, float, str]]:
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and (match := _LINK.match(parts[0])) and _STORE.match(parts[2]):
            yield int(match[1]), _number(parts[1]) or 0.0, parts[2]


def _commits(text: str) -> Iterator[tuple[str, str]]:
    """(link, commit) of grep's `FILE:match` lines."""
    for line in text.splitlines():
        file, _, found = line.partition(":")
        if match := _SHA.search(found):
            yield file.split("/cockpit/")[0].split("/sw/")[0], match[1]


def _closure(path: str, link: str, versions: dict[str, list[str]], commits: dict[str, str], cockpit: bool | None) -> Closure:
    words = versions.get(link, [])
    return Closure(
        path=path,
        commit=commits.get(link),
        nixos=plain(words[0]) if words else None,
        kernel=plain(words[1]) if len(words) > 1 and words[1] != "*" else None,
        has_cockpit=cockpit if cockpit is not None else link in commits,
    )


def _one_badge(generations: list[Generation], badge: Badge) -> None:
    """Several generations may be the same closure: the newest carries the badge."""
    seen = False
    for index, generation in enumerate(generations):
        if badge in generation.badges and seen:
            generations[index] = Generation(
                generation.number,
                generation.closure,
                generation.created,
                generation.badges - {badge},
                generation.outcome,
                generation.by,
                generation.size,
            )
        seen = seen or badge in generation.badges


def _manifest(text: str | None) -> Manifest | None:
    data = _json(text, dict)
    if data is None or not isinstance(data.get("projects"), dict):
        return None
    projects: list[ManifestProject] = []
    for name, project in data["projects"].items():
        if not isinstance(project, dict):
            continue
        services = project.get("services")
        services = services if isinstance(services, dict) else {}
        secrets = project.get("secrets")
        projects.append(
            ManifestProject(
                name=plain(name),
                directory=plain(str(project.get("directory", ""))),
                services=tuple(plain(s) for s, v in services.items() if isinstance(v, dict) and v.get("replicas", 1) != 0),
                oneshots=tuple(plain(s) for s, v in services.items() if isinstance(v, dict) and v.get("oneshot")),
                secrets=tuple(plain(s) for s in secrets) if isinstance(secrets, dict) else (),
            )
        )
    commit = data.get("commit")
    return Manifest(
        commit=plain(commit) if isinstance(commit, str) else None,
        host=plain(str(data.get("host", ""))),
        keep=data["keep"] if isinstance(data.get("keep"), int) else 15,
        projects=tuple(projects),
    )


def _containers(text: str) -> Iterator[tuple[str, str, str, str]]:
    """(project, service, state, status) of the engine's list, or of `docker ps` lines."""
    rows = _json(text, list)
    if rows is None:
        rows = [row for line in text.splitlines() if (row := _json(line, dict))]
    for row in rows:
        if not isinstance(row, dict):
            continue
        labels = row.get("Labels") or {}
        if isinstance(labels, str):
            labels = dict(part.partition("=")[::2] for part in labels.split(","))
        if not isinstance(labels, dict):
            continue
        if str(labels.get("com.docker.compose.oneoff", "False")).lower() == "true":
            continue
        yield (
            str(labels.get("com.docker.compose.project", "")),
            str(labels.get("com.docker.compose.service", "")),
            str(row.get("State", "")),
            str(row.get("Status", "")),
        )


def _stopped(manifest: Manifest, text: str) -> Iterator[str]:
    have: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for project, service, state, status in _containers(text):
        have.setdefault((project, service), []).append((state, status))
    for wanted in manifest.projects:
        for service in wanted.services:
            rows = have.get((wanted.name, service), [])
            if not rows or any(not _as_it_should(s, status, service in wanted.oneshots) for s, status in rows):
                yield f"{wanted.name}/{service}"


def _as_it_should(state: str, status: str, oneshot: bool) -> bool:
    if state == "running":
        return "(unhealthy)" not in status
    return oneshot and state == "exited" and status.startswith("Exited (0)")


def _attempts(host: str, fields: dict[str, str]) -> Iterator[Attempt]:
    """Newest first."""
    found: dict[str, dict[str, str]] = {}
    for line in fields.get("attempts", "").splitlines():
        path, _, content = line.partition(":")
        folder, _, file = path.partition("/")
        if file:
            found.setdefault(folder, {}).setdefault(file, content)
    for line in fields.get("decisions", "").splitlines():
        left, arrow, decision = line.partition(" -> ")
        if arrow:
            folder = left.split()[-1].partition("/")[0]
            found.setdefault(folder, {})["decision"] = decision.strip()
    for folder in sorted(found, reverse=True):
        attempt = attempt_from(host, folder, found[folder])
        if attempt is not None:
            yield attempt


def _with_activity(attempts: tuple[Attempt, ...], active: bool) -> Iterator[Attempt]:
    for attempt in attempts:
        if attempt.result is Result.OPEN and not active:
            yield replace(attempt, phase="interrupted")
        else:
            yield attempt


def _holder(text: str | None, active: bool) -> Holder | None:
    if not active:
        return None
    data = _json(text, dict) or {}
    return Holder(
        # a project that is brought up or down leaves no record that could be attached to
        run=plain(str(data.get("run", ""))) if data.get("kind") != "compose" else "",
        who=plain(str(data.get("who", "nixos-rebuild"))),
        origin=plain(str(data.get("origin", ""))),
        since=_number(str(data.get("since"))) or 0.0,
        kind=plain(str(data.get("kind", "rebuild"))),
    )


def _disks(text: str) -> Iterator[Disk]:
    seen: set[str] = set()
    for line in text.splitlines()[1:]:
        parts = line.split()
        if len(parts) >= 6 and all(p.isdecimal() and len(p) < 20 for p in parts[1:3]) and parts[5] not in seen:
            seen.add(parts[5])
            yield Disk(mount=plain(parts[5]), used=int(parts[2]), size=int(parts[1]))
