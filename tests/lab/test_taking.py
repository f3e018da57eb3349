"""Files that a service may write to are copies: what becomes of a change that was made on the host."""

from __future__ import annotations

import pytest

from tests.lab.controller import Controller, assert_whole
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost

FILE = "/var/lib/cockpit/projects/paperless/data-template.txt"
SOURCE = "compose/paperless/data-template.txt"


@pytest.fixture
def edited(host: LabHost, homelab: Homelab, controller: Controller) -> LabHost:
    """Somebody changed the file on the host; nothing else is new."""
    done = controller.deploy()
    assert done.code == 0, done.out
    host.exec(f"rm -f {FILE}.cockpit-kept*; docker exec paperless-worker-1 sh -c 'echo by hand >/data/template.txt'")
    assert host.out(f"cat {FILE}") == "by hand"
    return host


def test_a_change_stays_while_git_has_nothing_new(controller: Controller, homelab: Homelab, edited: LabHost) -> None:
    homelab.write("compose/core/conf/dynamic.txt", "routers: 20\n")
    homelab.commit("something else")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert edited.out(f"cat {FILE}") == "by hand"
    edited.kill()
    edited.start()
    assert edited.out(f"cat {FILE}") == "by hand"
    assert_whole(edited)


def test_both_changed_is_a_conflict(controller: Controller, homelab: Homelab, edited: LabHost) -> None:
    homelab.write(SOURCE, "by git\n")
    homelab.commit("a new template")
    done = controller.deploy()
    assert done.code == 9, done.out
    for words in (FILE, "changed on the host", f"--take git {FILE}", f"--take host {FILE}"):
        assert words in done.out, done.out
    assert edited.out(f"cat {FILE}") == "by hand"

    done = controller.deploy("--take", "git", FILE)
    assert done.code == 0, done.out
    assert edited.out(f"cat {FILE}") == edited.out("docker exec paperless-worker-1 cat /data/template.txt") == "by git"
    assert edited.out(f"cat {FILE}.cockpit-kept") == "by hand"
    assert_whole(edited)


def test_the_host_may_win(controller: Controller, homelab: Homelab, edited: LabHost) -> None:
    homelab.write(SOURCE, "by git, again\n")
    homelab.commit("another template")
    done = controller.deploy("--take", "host", FILE)
    assert done.code == 0, done.out
    assert edited.out(f"cat {FILE}") == edited.out("docker exec paperless-worker-1 cat /data/template.txt") == "by hand"
    assert_whole(edited)
    # going back does not lose it either: it is kept beside what the earlier release has
    assert controller.rollback().code == 0
    assert "by hand" in edited.out(f"cat {FILE} {FILE}.cockpit-kept 2>/dev/null")
    assert controller.run("resume", "--headless", "--yes").code == 0


def test_a_folder_with_data_of_the_service_is_never_removed(controller: Controller, homelab: Homelab, edited: LabHost) -> None:
    """An entry that was mounted writable and no longer is becomes a link: what the service wrote into it is set aside."""
    compose = homelab.read("compose/paperless/compose.yaml")
    homelab.write("compose/paperless/media/README", "documents go here\n")
    writable = '["./data-template.txt:/data/template.txt", "./media:/media"]'
    homelab.write("compose/paperless/compose.yaml", compose.replace('["./data-template.txt:/data/template.txt"]', writable))
    homelab.commit("media")
    assert controller.deploy().code == 0
    edited.exec("docker exec paperless-worker-1 sh -c 'echo precious >/media/document'")
    homelab.write("compose/paperless/compose.yaml", compose)
    homelab.commit("media is gone from compose, and its folder is not")
    done = controller.deploy()
    assert done.code == 0, done.out
    folder = "/var/lib/cockpit/projects/paperless"
    assert edited.out(f"cat {folder}/media/README") == "documents go here"
    assert edited.out(f"cat {folder}/media.cockpit-kept/document") == "precious"
    assert_whole(edited)


def test_what_an_earlier_release_was_to_settle_does_not_come_back(
    controller: Controller, homelab: Homelab, edited: LabHost
) -> None:
    """A deploy that ended well was cut off before it cleared away what had been there; a later one that fails goes back to that."""
    folder = "/var/lib/cockpit/projects/paperless"
    before = edited.out(f"readlink {folder}/broker.conf")
    edited.exec(f"mkdir -m 700 {folder}/.cockpit-before && echo from before >{folder}/.cockpit-before/broker.conf")
    homelab.edit("cockpit.yaml", "health: []", 'health: [{http: "http://127.0.0.1:9/", status: 200}]')
    homelab.commit("a check that fails")
    done = controller.deploy()
    assert done.code == 5, done.out
    assert edited.out(f"readlink {folder}/broker.conf") == before
    assert edited.out(f"cat {folder}/broker.conf.cockpit-kept") == "from before"
    assert_whole(edited)
