"""One line into a flake that a person wrote, or a flake where there is none. What is not plain to see is left to the person."""

from __future__ import annotations

import re

from msgspec import Struct

_ARGUMENTS = re.compile(
    r"\boutputs\s*=\s*(?:(?P<before>[A-Za-z_]\w*)\s*@\s*)?(?P<set>\{[^}]*\})?(?:\s*@\s*(?P<after>[A-Za-z_]\w*))?\s*:"
)
_PLAIN = re.compile(r"\boutputs\s*=\s*(?P<name>[A-Za-z_]\w*)\s*:")
_INPUTS = re.compile(r"(?:^|[{;\s])inputs\s*(?:=|\.[\w.-]+\s*=)")
_MODULES = re.compile(r"\bmodules\s*=\s*\[(?P<rest>[^\n]*)")


class Edit(Struct, frozen=True):
    text: str | None
    """The flake with the line in it; None where a person has to write it."""
    line: str
    why: str = ""


def has_inputs(flake: str) -> bool:
    """Whether there is something to be pinned in a flake.lock."""
    return bool(_INPUTS.search(flake))


def line(module: str, self_name: str = "self") -> str:
    return f"(import ./{module} {{ revision = {self_name}.rev or {self_name}.dirtyRev or null; }})"


def self_name(flake: str) -> str:
    """How the flake's own attributes are called inside `outputs`; empty where they have no name."""
    if match := _PLAIN.search(flake):
        return f"{match['name']}.self"
    match = _ARGUMENTS.search(flake)
    if match is None or match["set"] is None:
        return ""
    if re.search(r"[{,\s]self\s*[,}]", match["set"]):
        return "self"
    whole = match["before"] or match["after"]
    return f"{whole}.self" if whole else ""


def edit(flake: str, host: str, module: str) -> Edit:
    """Adds the module to one host's list."""
    if f"./{module}" in flake:
        return Edit(flake, line(module))
    name = self_name(flake)
    if not name:
        return Edit(None, line(module), "its outputs do not name `self`")
    wanted = line(module, name)
    starts = list(re.finditer(rf"(?:nixosConfigurations\s*\.\s*)?\"?\b{re.escape(host)}\"?\s*=", flake))
    starts = [start for start in starts if _belongs(flake, start.start())]
    if len(starts) != 1:
        return Edit(None, wanted, f"nixosConfigurations.{host} is not plain to see")
    found = list(_MODULES.finditer(flake, starts[0].end()))
    if not found or len(re.findall(r"nixosSystem|nixosConfigurations", flake[starts[0].end() : found[0].start()])) > 1:
        return Edit(None, wanted, f"the list `modules` of {host} is not plain to see")
    match = found[0]
    at = match.start("rest")
    if match["rest"].strip() and not match["rest"].strip().startswith("#"):
        return Edit(f"{flake[:at]} {wanted}{flake[at:]}", wanted)
    after = flake[match.end() + 1 :]
    following = re.match(r"[ \t]*", after)
    indent = following[0] if following else "        "
    if after.lstrip(" \t").startswith("]"):
        indent += "  "
    return Edit(f"{flake[: match.end()]}\n{indent}{wanted}{flake[match.end() :]}", wanted)


def _belongs(flake: str, at: int) -> bool:
    """Whether a definition stands directly under nixosConfigurations."""
    if flake.startswith("nixosConfigurations", at):
        return True
    before = flake[:at]
    group = before.rfind("nixosConfigurations")
    if group < 0 or not re.match(r"nixosConfigurations\s*=\s*(?:rec\s*)?\{", flake[group:]):
        return False
    return before[group:].count("{") - before[group:].count("}") == 1


def new(host: str, module: str, release: str) -> str:
    """A flake for a configuration.nix that has none."""
    return f"""\
# Written by `cockpit adopt`: configuration.nix as it was, built from a pinned nixpkgs. Yours from now on.
{{
  description = "NixOS hosts";

  # the release that the host runs already
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-{release}";

  outputs =
    {{ self, nixpkgs }}:
    {{
      nixosConfigurations.{host} = nixpkgs.lib.nixosSystem {{
        modules = [
          {line(module)}
          ./configuration.nix
        ];
      }};
    }};
}}
"""
