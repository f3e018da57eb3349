"""What belongs to an object: its VM, host, generation, commit, file, service, logs, release and URL, or why there is none."""

from __future__ import annotations

from msgspec import Struct

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import Context
from cockpit.domain.hosts import HostFacts
from cockpit.domain.services import COMPOSE_FILES, Service
from cockpit.tui.panes.service_rows import key_of, worst_first

LETTERS = {
    "v": "VM", "h": "host", "g": "generation", "c": "commit", "f": "file", "s": "service", "l": "logs",
    "r": "release", "u": "URL",
}  # fmt: skip


class Neighbour(Struct, frozen=True):
    """What `'` and a letter lead to: an address, a commit or a URL; or why it leads nowhere."""

    to: str = ""
    why: str = ""


class Neighbours:
    """Of one object. Empty where nothing is selected that has any."""

    def __init__(self, cockpit: Cockpit, context: Context) -> None:
        self._cockpit = cockpit
        self._at = context
        self._project = self._of_project()
        self._host = self._of_host()
        self._facts = self._read()

    @property
    def any(self) -> bool:
        """Whether there is an object to have neighbours."""
        c = self._at
        return bool(c.host or c.service or c.project or c.guests or c.release or (c.files and c.files.path))

    def to(self, letter: str) -> Neighbour:
        return {
            "v": self._vm, "h": self._host_of, "g": self._generation, "c": self._commit, "f": self._file, "s": self._service,
            "l": self._logs, "r": self._release, "u": self._url,
        }[letter]()  # fmt: skip

    # what it is about

    def _of_project(self) -> str:
        c = self._at
        if c.service is not None:
            return c.service.project
        if c.project:
            return c.project.partition("/")[2]
        if c.files is not None and c.files.path:
            for project in self._cockpit.settings.projects.values():
                mine = c.files.path.startswith(f"{project.source.rstrip('/')}/")
                if mine or any(secret.file == c.files.path for secret in project.secrets):
                    return project.name
        return ""

    def _of_host(self) -> str:
        c, hosts = self._at, self._cockpit.settings.hosts
        if c.guests:
            return next((name for name, host in hosts.items() if host.guest == c.guests[0].ref), "")
        if c.host:
            return c.host
        if c.release is not None:
            return next(iter(c.release.hosts), "")
        return next((name for name, host in hosts.items() if self._project and self._project in host.projects), "")

    def _read(self) -> HostFacts | None:
        observer = self._cockpit.fleet.hosts.get(self._host)
        return observer.latest.value if observer is not None else None

    def _chosen(self) -> Service | None:
        """The service itself; of a project or a host the one that is worst."""
        if self._at.service is not None:
            return self._at.service
        engine = self._cockpit.fleet.services.get(self._host)
        found = engine.latest.value.services if engine and engine.latest.value else ()
        mine = [s for s in found if not self._project or s.project == self._project]
        return min(mine, key=lambda s: (worst_first([s]), key_of(s)), default=None)

    def _nothing(self, what: str) -> Neighbour:
        return Neighbour(why=f"no host of this homelab belongs to it, so there is no {what}")

    # where it leads

    def _vm(self) -> Neighbour:
        if self._at.guests:
            return Neighbour(self._at.guests[0].ref)
        settings = self._cockpit.settings.hosts.get(self._host)
        if settings is None:
            return self._nothing("VM")
        guest = settings.guest
        return Neighbour(guest) if guest else Neighbour(why=f"`guest` of {self._host} in cockpit.yaml would name its VM")

    def _host_of(self) -> Neighbour:
        return Neighbour(self._host) if self._host else self._nothing("host")

    def _generation(self) -> Neighbour:
        c, facts = self._at, self._facts
        if facts is None:
            return Neighbour(why=f"{self._host} was not read yet") if self._host else self._nothing("generation")
        number = facts.profile_generation
        if c.generation is not None:
            number = c.generation.number
        elif c.release is not None:
            attempt = next((a for a in c.release.attempts if a.host == self._host), None)
            number = attempt.generation if attempt is not None else None
            if number is None:
                return Neighbour(why="it made no generation")
        return Neighbour(f"{self._host}@{number if number is not None else 'test'}")

    def _commit(self) -> Neighbour:
        c = self._at
        sha = c.release.commit if c.release else c.generation.closure.commit if c.generation else None
        if sha is None and c.release is None and c.generation is None and self._facts is not None:
            sha = self._facts.running.commit
        return Neighbour(sha) if sha else Neighbour(why="it names no commit")

    def _file(self) -> Neighbour:
        c, settings = self._at, self._cockpit.settings
        if c.files is not None and c.files.path:
            return Neighbour(f"files/{c.files.path}")
        if self._project:
            project = settings.projects.get(self._project)
            if project is None:
                return Neighbour(why=f"cockpit.yaml names no project {self._project}")
            found = next((n for n in COMPOSE_FILES if (settings.root / project.source / n).is_file()), COMPOSE_FILES[0])
            return Neighbour(f"files/{project.source.rstrip('/')}/{found}")
        host = settings.hosts.get(self._host)
        return Neighbour(f"files/{host.flake_folder.rstrip('/')}/flake.nix") if host else self._nothing("file")

    def _service(self) -> Neighbour:
        found = self._chosen()
        if found is not None:
            return Neighbour(found.address)
        return Neighbour(why=f"nothing is seen to run on {self._host}") if self._host else self._nothing("service")

    def _logs(self) -> Neighbour:
        found = self._service()
        return Neighbour(f"{found.to}/logs") if found.to else found

    def _release(self) -> Neighbour:
        c = self._at
        if c.release is not None:
            return Neighbour(f"releases/{c.release.run}")
        if not self._host:
            return self._nothing("release")
        number = c.generation.number if c.generation else None
        for release in self._cockpit.fleet.releases():
            for attempt in release.attempts:
                if attempt.host == self._host and (number is None or attempt.generation == number):
                    return Neighbour(f"releases/{release.run}")
        return Neighbour(why="no release made it" if number is not None else f"no release reached {self._host}")

    def _url(self) -> Neighbour:
        c = self._at
        if c.guests:
            cluster = self._cockpit.settings.clusters.get(c.guests[0].cluster)
            if cluster is not None:
                address = cluster.addresses[0]
                known = address if ":" in address.rpartition("]")[2] else f"{address}:8006"
                return Neighbour(f"https://{known}/#v1:0:={c.guests[0].kind.value}%2F{c.guests[0].vmid}")
        if c.release is not None:
            origin = c.release.origin
            web = origin.startswith(("https://", "http://"))
            return Neighbour(origin) if web else Neighbour(why="it was not started by CI")
        service = c.service or (self._chosen() if c.project else None)
        if service is not None and service.url:
            return Neighbour(service.url)
        return Neighbour(why="no label of it names a URL" if service is not None else "it has no URL")
