"""What can be said of a secret's file without any key: its format, who can open it, and what stands there in plain text."""

from __future__ import annotations

import json
import re

from msgspec import Struct

FORMATS = ("yaml", "json", "dotenv", "ini", "binary")
MOST = 8 * 1024 * 1024
"""Bytes; what is bigger is no file of secrets."""

_MAC = re.compile(r'(?:^|[\s"_])mac["\s]*[:=]\s*"?ENC\[AES256_GCM,', re.MULTILINE)
_MODIFIED = re.compile(r'(?:^|[\s"_])lastmodified["\s]*[:=]\s*"?([0-9TZ:.+-]{10,40})', re.MULTILINE)
_RECIPIENT = re.compile(r"\b(age1[0-9a-z]{50,})|(ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]{40,})")

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")),
    ("an age identity", re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{20,}")),
    (
        "a provider's token",
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
            r"|AKIA[0-9A-Z]{16}|tskey-[a-z]+-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{16,})"
        ),
    ),
)
_PAIR = re.compile(r"""^[\s\-{,]*(?:export\s+)?["']?([A-Za-z_][\w.\-]{0,80})["']?\s*[:=]\s*(.*?)\s*[,;]?\s*$""")
_SECRET_NAME = re.compile(
    r"(?:^|[_.\-])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)(?:$|[_.\-\d])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_POINTS_ELSEWHERE = re.compile(r"(?:[_.\-]|^)(?:file|path|name|url|ttl|length|unencrypted)$", re.IGNORECASE)
_NO_VALUE = re.compile(
    r"""^["']?(?:|ENC\[.*|\$\{?\w.*|\{\{.*|/[\w./-]+|true|false|yes|no|null|none|~|\d{1,5}|[|>][+-]?\d?|[{\[&*!].*|<[^>]*>|\*+)["']?$""",
    re.IGNORECASE,
)
_PROGRAMS = (".nix", ".tf", ".sh", ".py", ".js", ".css")
"""Where only a quoted value can be a secret: the others are expressions."""
_NEVER_SECRET = re.compile(r"^secrets/template\.yaml$|(?:^|/)(?:\.[^/]*|README[^/]*|[^/]*\.(?:md|pub|nix|txt))$", re.IGNORECASE)


class FileStatus(Struct, frozen=True):
    """A secret's file, as it stands in git or on the disk."""

    format: str | None
    """One of FORMATS; None where sops did not encrypt it."""
    recipients: tuple[str, ...] = ()
    """age and ssh public keys that can open it, in file order."""
    modified: str | None = None
    """sops' own stamp, RFC 3339."""
    exposed: tuple[str, ...] = ()
    """Places that look like secrets in plain text (`line 3: password`); never a value."""

    @property
    def encrypted(self) -> bool:
        return self.format is not None


def format_of(path: str, data: bytes) -> str | None:
    """How sops marked the file, by the same signs that the host's release builder goes by; None for plain text."""
    text = _text(data)
    found: str | None = None
    if re.search(r"^sops_version=", text, re.MULTILINE):
        found = "dotenv"
    elif re.search(r"^\[sops\]", text, re.MULTILINE):
        found = "ini"
    elif text.lstrip()[:1] == "{":
        found = ("json" if path.endswith(".json") else "binary") if _is_sops_json(text) else None
    elif re.search(r"^sops:", text, re.MULTILINE):
        found = "yaml"
    return found if found and _MAC.search(text) else None


def is_encrypted(path: str, data: bytes) -> bool:
    """Whether sops encrypted the file. No proof that nothing in it is plain: `looks_plain` looks at that."""
    return format_of(path, data) is not None


def looks_plain(path: str, data: bytes) -> tuple[str, ...]:
    """Places that look like secrets in plain text, as `line 3: password`; empty where nothing does. Never names a value.

    An encrypted file is looked through too: sops leaves plain what its rules do not name, and says nothing of it.
    """
    found: list[str] = []
    encrypted = is_encrypted(path, data)
    program = path.endswith(_PROGRAMS)
    if path.startswith("secrets/") and data.strip() and not encrypted and not _NEVER_SECRET.search(path):
        found.append("the whole file: it is not encrypted by sops")
    for number, line in enumerate(_text(data).splitlines(), 1):
        if len(line) > 20_000:
            continue
        kind = next((name for name, pattern in _PATTERNS if pattern.search(line)), None)
        if kind is not None:
            found.append(f"line {number}: {kind}")
        elif (match := _PAIR.match(line)) and _is_secret(match[1], match[2]) and (match[2][:1] in "\"'" or not program):
            found.append(f"line {number}: {match[1]}")
    return tuple(found)


def status_of(path: str, data: bytes) -> FileStatus:
    """Everything that the file says without a key."""
    kind = format_of(path, data)
    exposed = looks_plain(path, data)
    if kind is None:
        return FileStatus(None, exposed=exposed)
    text = _text(data)
    recipients = tuple(dict.fromkeys(a or s for a, s in _RECIPIENT.findall(text)))
    modified = _MODIFIED.search(text)
    return FileStatus(kind, recipients, modified[1] if modified else None, exposed)


def _is_secret(key: str, value: str) -> bool:
    name = _CAMEL.sub("_", key)
    return bool(_SECRET_NAME.search(name)) and not _POINTS_ELSEWHERE.search(name) and not _NO_VALUE.match(value)


def _is_sops_json(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("sops"), dict)


def _text(data: bytes) -> str:
    return data[:MOST].decode("utf-8", "replace").replace("\r\n", "\n")
