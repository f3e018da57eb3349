"""OpenTofu and workflows: pins, the state and where secrets stand. Files are read as text; no program is asked."""

from __future__ import annotations

import json
import re

from cockpit.actions.doctor.check import Check, Found
from cockpit.actions.doctor.context import Context
from cockpit.domain.findings import Group, Level, fail, note, ok, warn
from cockpit.domain.units import several

TF = r"(.*/)?tofu/(.*/)?[^/]+\.(tf|tofu)"
_COMMENT = re.compile(r"(?m)(?:^|\s)(?:#|//).*$")
_REQUIRED = re.compile(r"\brequired_providers\s*\{(.*?)\n\s*\}\s*\n", re.DOTALL)
_PROVIDER = re.compile(r"(\w[\w-]*)\s*=\s*\{([^}]*)\}", re.DOTALL)
_VERSION = re.compile(r'\bversion\s*=\s*"([^"]*)"')
_SOURCE = re.compile(r'\bsource\s*=\s*"([^"]*)"')
_EXACT = re.compile(r"=?\s*v?\d+(?:\.\d+)*(?:-[0-9A-Za-z.-]+)?")
_LOCKED = re.compile(r'provider\s+"[^"]*/([^"/]+/[^"/]+)"\s*\{[^}]*?version\s*=\s*"([^"]*)"', re.DOTALL)
_SECRET = re.compile(r"(?i)(password|passwd|secret|token|passphrase|api_?key|private_?key)$")
_ASSIGNED = re.compile(r'(?:^|[{,])\s*"?([A-Za-z_][\w-]*)"?\s*[=:]\s*"([^"]+)"')


def providers(text: str) -> list[tuple[str, str, str]]:
    """(name, source, version) of `required_providers`."""
    found = []
    for block in _REQUIRED.finditer(_COMMENT.sub("", text) + "\n"):
        for name, body in _PROVIDER.findall(block[1] + "\n}"):
            source, version = _SOURCE.search(body), _VERSION.search(body)
            found.append((name, source[1] if source else "", version[1] if version else ""))
    return found


async def _pins(context: Context) -> Found:
    files, count = await context.matching(TF), 0
    locks = {path.rpartition("/")[0]: path for path in await context.paths() if path.endswith("/.terraform.lock.hcl")}
    for path in files:
        folder = path.rpartition("/")[0]
        locked = dict(_LOCKED.findall(await context.text_of(locks[folder]) or "")) if folder in locks else {}
        for name, source, version in providers(await context.text_of(path) or ""):
            count += 1
            if not version:
                yield fail(
                    f"the provider {name} has no version",
                    "the newest one is taken, whatever it changes",
                    'version = "X.Y.Z"',
                    path,
                )
            elif not _EXACT.fullmatch(version):
                yield warn(
                    f"the provider {name} is not pinned exactly", f'"{version}" lets another one in', 'version = "X.Y.Z"', path
                )
            elif folder in locks and locked.get(source.lower(), version.lstrip("= v")) != version.lstrip("= v"):
                yield fail(
                    f"the lock has {name} {locked[source.lower()]}, not {version}",
                    "tofu init refuses",
                    f"tofu -chdir={folder} init -upgrade",
                    path,
                )
        if folder not in locks and providers(await context.text_of(path) or ""):
            yield note(
                "there is no .terraform.lock.hcl",
                "a provider's checksum is checked by nobody",
                f"tofu -chdir={folder} init, and commit it",
                path,
            )
    if files:
        yield ok(f"{several(count, 'provider')}")


async def _state(context: Context) -> Found:
    files = await context.matching(TF)
    if not files:
        return
    # the state is not always in git: it is read where it is on the disk
    states = [f"{folder}/terraform.tfstate" for folder in dict.fromkeys(path.rpartition("/")[0] for path in files)]
    texts = [(path, await context.text_of(path)) for path in states]
    text = "".join([await context.text_of(path) or "" for path in files])
    for path, state in texts:
        if state is None:
            continue
        try:
            data = json.loads(state)
        except (ValueError, RecursionError):
            data = {}
        if not isinstance(data, dict) or "encrypted_data" not in data:
            yield fail(
                "the state is plain text",
                "it holds every password and key that a guest was made with",
                "an encryption block with enforced = true, then tofu apply",
                path,
            )
    if not re.search(r"\bencryption\s*\{", _COMMENT.sub("", text)) and not context.machine.environment("TF_ENCRYPTION"):
        yield warn(
            "state and plan are not encrypted",
            "both hold secrets in plain text",
            "terraform { encryption { ... } }, with a passphrase from SOPS",
            files[0],
        )
    yield ok("encrypted")


async def _variables(context: Context) -> Found:
    found = await context.matching(r"(.*/)?[^/]+\.tfvars(\.json)?")
    for path in found:
        data = await context.bytes_of(path)
        if data is None or context.secrets is None or context.secrets.is_encrypted(path, data):
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            for name in (match[1] for match in _ASSIGNED.finditer(line) if _SECRET.search(match[1])):
                why, fix = "whoever reads the repository reads it", "put it into secrets/operator/tofu.yaml, and replace it"
                yield fail(f"{name} is a secret in plain text", why, fix, path, number)
    if found:
        yield ok(several(len(found), "file"))


# ---- workflows -----------------------------------------------------------------------------------------------------------------

WORKFLOWS = r"\.github/workflows/[^/]+\.ya?ml"
_USES = re.compile(r"^\s*(?:-\s*)?uses:\s*[\"']?([^\s\"'#]+)")
_COMMENT = re.compile(r"(?m)(^|\s)#.*$")
_NAMED = re.compile(r"\b(secrets|vars)\.([A-Za-z_]\w*+)(?!\s*\|\|)")
"""Not what the workflow has something else for."""


async def _actions(context: Context) -> Found:
    files, count = await context.matching(WORKFLOWS), 0
    for path in files:
        for number, line in enumerate((await context.text_of(path) or "").splitlines(), 1):
            match = _USES.match(line)
            if match is None or match[1].startswith(("./", "docker://")):
                continue
            count += 1
            name, _, revision = match[1].partition("@")
            if not re.fullmatch(r"[0-9a-f]{40}", revision):
                yield warn(
                    f"{name} is not pinned",
                    f"@{revision or 'nothing'} can be moved by others",
                    f"{name}@<the commit, 40 hex digits> # {revision}",
                    path,
                    number,
                )
    if files:
        yield ok(f"{several(count, 'action')} in {several(len(files), 'file')}")


async def _names(context: Context) -> Found:
    files, told = await context.matching(r"\.github/workflows/(deploy|plan|plan-report|update)\.ya?ml"), 0
    for path in files:
        text = await context.text_of(path) or ""
        wanted = sorted({(kind, name) for kind, name in _NAMED.findall(_COMMENT.sub("", text)) if name != "GITHUB_TOKEN"})
        if wanted:
            told += 1
            yield note(
                f"needs {', '.join(f'{kind}.{name}' for kind, name in wanted)}",
                "whether the forge has them cannot be seen from here",
                "; ".join(f"gh {'secret' if kind == 'secrets' else 'variable'} set {name}" for kind, name in wanted),
                path,
            )
        if not re.search(r"(?m)^permissions:", text):
            told += 1
            why = "its token may do what the repository's default says"
            yield warn("no permissions: at the top", why, "permissions: {contents: read}", path, 1)
    if files and not told:
        yield ok(several(len(files), "file"))


CHECKS = (
    Check(
        "tofu.pins", "providers", Group.TOFU, Level.FAIL, "Each provider has one exact version, which is also the lock's.", _pins
    ),
    Check("tofu.state", "state", Group.TOFU, Level.FAIL, "State and plan are encrypted.", _state),
    Check("tofu.variables", "variables", Group.TOFU, Level.FAIL, "No secret in a plain `.tfvars` file.", _variables),
    Check("workflows.actions", "actions", Group.WORKFLOWS, Level.WARN, "Each action is pinned to a commit.", _actions),
    Check(
        "workflows.names",
        "settings",
        Group.WORKFLOWS,
        Level.WARN,
        "Which secrets and variables the forge has to have, and least permissions.",
        _names,
    ),
)
