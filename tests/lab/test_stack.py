"""The whole of compose/ on a real host, with stand-ins for the images: every project comes up healthy by its own file, Traefik serves
each name, who reads the engine reads what its label allows, and all of it is there again after the engine was restarted."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from ruamel.yaml import YAML

from tests.lab import standins
from tests.lab.engine import Engine
from tests.lab.homelab import TOP, sops
from tests.lab.host import LabHost, of_this_run, run

pytestmark = pytest.mark.skipif(bool(standins.missing()), reason=standins.missing())

DOMAIN = "home.example.org"
PASSWORD = "of the dashboard"
ROUTES = {f"gotify.{DOMAIN}": "gotify", f"logs.{DOMAIN}": "dozzle", f"status.{DOMAIN}": "uptime-kuma", DOMAIN: "homepage"}
PROJECTS: list[str] = list(YAML(typ="safe").load(TOP / "cockpit.yaml")["hosts"]["homelab"]["projects"])


@dataclass
class Stack:
    host: LabHost
    authority: str

    def compose(self, project: str, *words: str) -> str:
        argv = f"docker compose -p {project} --project-directory /srv/compose/{project}"
        return f"{argv} -f /srv/compose/{project}/compose.yaml -f /srv/compose/{project}/compose.lock.yaml {' '.join(words)}"

    def up(self, project: str, *words: str) -> str:
        done = self.host.exec(self.compose(project, "up -d --wait --wait-timeout 90 2>&1", *words), check=False, timeout=150)
        if done.returncode != 0:
            raise AssertionError(f"{project}: {done.stdout}\n{self.host.out(self.compose(project, 'logs --no-color 2>&1'))}")
        return done.stdout

    def up_all(self) -> None:
        """All at once: none needs another to come up."""
        with ThreadPoolExecutor(len(PROJECTS)) as pool:
            list(pool.map(self.up, PROJECTS))

    def containers(self) -> dict[str, dict[str, Any]]:
        """Service -> what inspect says."""
        told = self.host.out("docker inspect $(docker ps -aq)")
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in json.loads(told)}

    def curl(self, url: str, *words: str) -> tuple[int, str]:
        """(status, body), from the host, whatever DNS would say."""
        host = url.split("/")[2].partition(":")[0]
        resolve = " ".join(f"--resolve {host}:{port}:127.0.0.1" for port in (80, 443))
        told = self.host.out(
            f"curl -sS --max-time 10 --cacert /srv/authority.pem -w '\\n%{{http_code}}' {resolve} {' '.join(words)} '{url}'"
        )
        body, _, status = told.rpartition("\n")
        return int(status), body

    def asks(self, service: str, url: str) -> int:
        """Status of what a container is answered; 0 where nobody answers."""
        name = self.containers()[service]["Name"].lstrip("/")
        done = self.host.exec(f"docker exec {name} /standin get {url}", check=False)
        return int(done.stdout.splitlines()[0]) if done.stdout else 0


def secrets_of(host: LabHost) -> None:
    """The examples of secrets/, as a deploy renders them: path, owner and mode are those of cockpit.yaml."""
    settings = YAML(typ="safe").load(TOP / "cockpit.yaml")
    key = str(TOP / "secrets/example.agekey")
    for project in PROJECTS:
        for name, secret in settings["projects"][project].get("secrets", {}).items():
            words = ["--extract", "".join(f'["{part}"]' for part in secret["key"].split("."))] if "key" in secret else []
            value = run("env", f"SOPS_AGE_KEY_FILE={key}", sops(), "decrypt", *words, str(TOP / secret["file"])).stdout
            if name == "dashboard-users":
                value = f"admin:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b'2a')).decode()}\n"
            path = f"/run/cockpit/secrets/{project}/{name}"
            owner, mode = secret["owner"], secret["mode"]
            host.exec(f"mkdir -p $(dirname {path}); cat >{path}; chown {owner} {path}; chmod {mode} {path}", stdin=value)


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    compose = Path(tmp_path_factory.mktemp("stack")) / "compose"
    shutil.copytree(TOP / "compose", compose)
    local = standins.ensure(standins.references(compose))
    host = LabHost.create("lab-stack", 180, of_this_run("lab-stack"))
    try:
        host.load_images(*sorted(set(local.values())))
        standins.write_locks(compose, local, int(host.out("stat -c %g /var/run/docker.sock")))
        authority = standins.write_certificate(compose, DOMAIN)
        environment = compose / "traefik/.env"
        environment.write_text(environment.read_text().replace("100.64.0.7", "127.0.0.1"))
        host.copy(compose, "/srv/compose")
        host.exec("cat >/srv/authority.pem", stdin=authority)
        host.exec("docker network create proxy; docker network create --internal socket")
        secrets_of(host)
        made = Stack(host, authority)
        made.up_all()
        yield made
    finally:
        host.remove()


def test_everything_is_healthy_and_nothing_started_twice(stack: Stack) -> None:
    found = stack.containers()
    assert set(found) == {
        "socket-proxy",
        "traefik",
        "uptime-kuma",
        "account",
        "autokuma",
        "gotify",
        "watchtower",
        "dozzle",
        "homepage",
    }
    assert (found["account"]["State"]["Status"], found["account"]["State"]["ExitCode"]) == ("exited", 0)
    for name, one in found.items():
        if name != "account":
            assert one["State"]["Health"]["Status"] == "healthy", name
        assert one["RestartCount"] == 0, name


def test_each_runs_as_its_file_says(stack: Stack) -> None:
    found = stack.containers()
    for name, one in found.items():
        settings = one["HostConfig"]
        assert settings["CapDrop"] == ["ALL"] and settings["SecurityOpt"] == ["no-new-privileges:true"], name
        assert settings["Memory"] > 0 and settings["PidsLimit"] > 0 and not settings["Privileged"], name
        assert settings["ReadonlyRootfs"] == (name not in ("homepage", "uptime-kuma")), name
    users = {name: one["Config"]["User"].partition(":")[0] for name, one in found.items()}
    assert {name for name, user in users.items() if user in ("", "0")} == {"traefik", "gotify", "autokuma"}


@pytest.mark.parametrize(("name", "service"), ROUTES.items(), ids=ROUTES.values())
def test_traefik_serves_each_name(stack: Stack, name: str, service: str) -> None:
    status, body = stack.curl(f"https://{name}/")
    assert (status, json.loads(body)) == (200, {"service": service})
    status, _ = stack.curl(f"http://{name}/")
    assert status in (301, 308)


def test_the_dashboard_and_the_routes(stack: Stack) -> None:
    assert stack.curl(f"https://traefik.{DOMAIN}/api/http/routers")[0] == 401
    status, body = stack.curl(f"https://traefik.{DOMAIN}/api/http/routers", f"-u 'admin:{PASSWORD}'")
    routers = {one["name"]: one for one in json.loads(body)}
    assert status == 200 and not [one for one in routers.values() if one.get("error") or one["status"] != "enabled"]
    assert {name for name in routers if "@internal" not in name} == {"dashboard@file", *(f"{s}@docker" for s in ROUTES.values())}


def test_only_what_shall_be_reached_is(stack: Stack) -> None:
    told = stack.host.out("ss -Hltn | awk '{print $4}'")
    ours = {
        line
        for line in told.splitlines()
        if line.rpartition(":")[2] in ("80", "443", "8082", "8083", "3000", "3001", "8080", "2375")
    }
    assert ours == {"127.0.0.1:80", "127.0.0.1:443", "127.0.0.1:8082", "127.0.0.1:8083"}


@pytest.mark.parametrize("service", ["dozzle", "watchtower", "homepage", "autokuma"])
def test_each_reader_is_told_what_its_label_allows(stack: Stack, service: str) -> None:
    own = stack.containers()[service]["Id"]
    proxy = "http://socket-proxy:2375"
    assert stack.asks(service, f"{proxy}/v1.41/containers/json") == 200
    for path in (f"/containers/{own}/archive?path=/", f"/containers/{own}/export", "/secrets", "/volumes"):
        assert stack.asks(service, f"{proxy}{path}") == 403, path
    assert stack.asks(service, f"{proxy}/containers/{own}/json") == (403 if service == "autokuma" else 200)


def test_whoever_reads_nothing_does_not_reach_the_proxy(stack: Stack) -> None:
    for service in ("gotify", "uptime-kuma"):
        assert stack.asks(service, "http://socket-proxy:2375/containers/json") == 0


def test_the_api_of_watchtower_wants_its_token(stack: Stack) -> None:
    assert stack.curl("http://127.0.0.1:8083/v1/containers")[0] == 401
    token = stack.host.out("cat /run/cockpit/secrets/watchtower/http-api-token")
    status, body = stack.curl("http://127.0.0.1:8083/v1/containers", f"-H 'Authorization: Bearer {token}'")
    assert status == 200 and "socket-proxy" in json.loads(body)["containers"]


def test_monitors_and_tiles_come_from_labels(stack: Stack) -> None:
    told = stack.host.out(stack.compose("uptime-kuma", "logs --no-color autokuma account"))
    assert "monitors: certificate dozzle gotify homelab homepage traefik watchtower" in told
    assert "the account admin is made" in told
    status, body = stack.curl(f"https://{DOMAIN}/api/services")
    tiles = {"Dozzle", "Gotify", "Socket proxy", "Traefik", "Uptime Kuma", "Watchtower"}
    assert (status, set(json.loads(body)["tiles"]), json.loads(body)["keyed"]) == (200, tiles, ["Gotify"])


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = {name: (one["Id"], one["State"]["StartedAt"]) for name, one in stack.containers().items() if name != "account"}
    stack.up_all()
    assert before == {
        name: (one["Id"], one["State"]["StartedAt"]) for name, one in stack.containers().items() if name != "account"
    }
    # the one that ends runs again, and finds that there is nothing to do
    assert "there is an account" in stack.host.out(stack.compose("uptime-kuma", "logs --no-color account"))


def test_each_comes_up_alone_in_whatever_order(stack: Stack) -> None:
    with ThreadPoolExecutor(len(PROJECTS)) as pool:
        list(pool.map(lambda project: stack.host.exec(stack.compose(project, "down -t 1 2>&1"), timeout=120), PROJECTS))
    # without the proxy: what does not read the engine is healthy, what does comes up and waits
    for project in ("gotify", "traefik", "homepage", "watchtower"):
        stack.up(project)
    assert stack.curl(f"https://traefik.{DOMAIN}/api/version")[0] == 401
    for project in ("uptime-kuma", "socket-proxy", "dozzle"):
        stack.up(project)
    _settled(stack)


def test_all_is_there_again_after_the_engine_was_restarted(stack: Stack) -> None:
    stack.host.exec("systemctl restart docker", timeout=120)
    _settled(stack)


def _settled(stack: Stack) -> None:
    """Until every container is healthy and every name is served."""
    deadline = time.monotonic() + 90
    while True:
        states = {n: (c["State"].get("Health") or {}).get("Status", "") for n, c in stack.containers().items() if n != "account"}
        codes = {name: stack.host.exec(_asked(name), check=False).stdout for name in ROUTES}
        if set(states.values()) == {"healthy"} and set(codes.values()) == {"200"}:
            return
        assert time.monotonic() < deadline, (states, codes)
        time.sleep(0.5)


def _asked(name: str) -> str:
    return (
        f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 5 --cacert /srv/authority.pem "
        f"--resolve {name}:443:127.0.0.1 https://{name}/"
    )
