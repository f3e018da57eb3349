# shellcheck shell=bash
# What all host programs share: places, JSON answers, durable writes, the manifest. Sourced, never run.

STATE=/var/lib/cockpit
RUNTIME=/run/cockpit
ATTEMPTS=$STATE/attempts
OWNED=$STATE/projects.json
ROOTS=/nix/var/nix/gcroots/cockpit
PROFILE=/nix/var/nix/profiles/system
UNIT=nixos-rebuild-switch-to-configuration.service
SECRETS=$RUNTIME/secrets

umask 022

# An error for people and for the controller: {"error": ...} on standard output, and its number as exit status.
fail() { # EXIT WHAT [WHY] [HINT]
  jq -cn --argjson exit "$1" --arg what "$2" --arg why "${3:-}" --arg hint "${4:-}" '{error: {$exit, $what, $why, $hint}}'
  exit "$1"
}

say() { printf '%s\n' "$*" >&2; }

# A JSON string of any text, without a process: control characters other than tab and newline are dropped.
json_string() { # VARIABLE TEXT
  local s=$2
  s=${s//\\/\\\\}
  s=${s//\"/\\\"}
  s=${s//$'\n'/\\n}
  s=${s//$'\t'/ }
  s=${s//[$'\001'-$'\037'$'\177']/}
  printf -v "$1" '"%s"' "$s"
}

# A file that survives a power cut whole or not at all: content on standard input.
durable_write() { # FILE
  cat >"$1.tmp" && sync "$1.tmp" && mv -T "$1.tmp" "$1" && sync "$(dirname "$1")"
}

durable_remove() { # PATH
  rm -rf "$1" && sync "$(dirname "$1")"
}

durable_link() { # TARGET LINK: replaces
  ln -sT "$1" "$2.tmp.$$" && mv -T "$2.tmp.$$" "$2" && sync "$(dirname "$2")"
}

manifest_of() { # CLOSURE or RELEASE -> path of its manifest, or nothing
  local place
  for place in "$1/cockpit/manifest.json" "$1/manifest.json"; do
    [ -e "$place" ] && printf '%s\n' "$place" && return
  done
  return 0
}

running_closure() { readlink -f /run/current-system; }

boot_default() { # store path of the loader's default entry; nothing where it cannot be told
  if [ -e /boot/loader/default ]; then # lab hosts and loaders that name the closure itself
    cat /boot/loader/default
  elif [ -e /boot/loader/loader.conf ]; then
    local entry
    entry=$(sed -n 's/^default[[:space:]]*//p' /boot/loader/loader.conf | head -n 1)
    sed -n 's|^options .*init=\(/nix/store/[^/]*\)/init.*|\1|p' "/boot/loader/entries/${entry%.conf}.conf" 2>/dev/null | head -n 1
  elif [ -e /boot/grub/grub.cfg ]; then
    sed -n 's|.*init=\(/nix/store/[^/]*\)/init.*|\1|p' /boot/grub/grub.cfg | head -n 1
  fi
}

# /boot is often readable by root alone: what it says is written down for those who only look. Every 20 s at the latest
# (cockpit-recover.timer), and whenever we set it.
note_boot_default() {
  boot_default >"$RUNTIME/boot-default.tmp.$BASHPID" && mv -T "$RUNTIME/boot-default.tmp.$BASHPID" "$RUNTIME/boot-default"
}

profile_generation() { # number that the profile points at, or nothing
  local link
  link=$(readlink "$PROFILE" 2>/dev/null) || return 0
  link=${link##*/}
  link=${link#system-}
  printf '%s\n' "${link%-link}"
}

generation_closure() { readlink -f "$PROFILE-$1-link" 2>/dev/null; }

# The highest number whose link is this closure
closure_generation() { # CLOSURE
  local link best='' n
  for link in "$PROFILE"-*-link; do
    [ "$(readlink "$link")" = "$1" ] || continue
    n=${link#"$PROFILE"-}
    n=${n%-link}
    [ -z "$best" ] || [ "$n" -gt "$best" ] && best=$n
  done
  printf '%s\n' "$best"
}

closure_commit() { # CLOSURE -> commit or nothing
  local manifest
  manifest=$(manifest_of "$1")
  if [ -n "$manifest" ]; then
    jq -r '.commit // empty' "$manifest"
  elif [ -x "$1/sw/bin/nixos-version" ]; then
    "$1/sw/bin/nixos-version" --configuration-revision 2>/dev/null || true
  fi
}

# The open attempt's folder name (SEQ-RUN), or nothing: the one with an intent and without an outcome. Two are open only between
# the moments when one that goes over a failed one is written down and when that one is closed: the newer one counts.
open_attempt() {
  local folder found=''
  for folder in "$ATTEMPTS"/*/; do
    [ -e "$folder/intent.json" ] && [ ! -e "$folder/outcome.json" ] && found=$(basename "$folder")
  done
  [ -z "$found" ] || printf '%s\n' "$found"
}

unit_active() { # the transaction's unit, its ExecStopPost= included
  case $(systemctl show -p ActiveState --value "$UNIT" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

prepare_places() {
  mkdir -p "$ATTEMPTS" "$RUNTIME/runs" "$ROOTS"
  chmod 755 "$STATE" "$ATTEMPTS" "$RUNTIME" "$RUNTIME/runs"
  mkdir -p -m 0751 "$STATE/projects"
}
