# shellcheck shell=bash
# Attempts on disk: intent, decision, abandoned, outcome; their roots; pruning. Sourced.

attempt_json() { # SEQ-RUN -> one JSON document
  local folder=$ATTEMPTS/$1
  jq -cn --arg name "$1" --arg decision "$(readlink "$folder/decision" 2>/dev/null || true)" --arg abandoned "$(cat "$folder/abandoned" 2>/dev/null || true)" \
    --argjson active "$(unit_active && echo true || echo false)" --slurpfile intent <(cat "$folder/intent.json" 2>/dev/null || true) --slurpfile outcome <(cat "$folder/outcome.json" 2>/dev/null || true) '
    def null_if_empty: if . == "" then null else . end;
    {seq: ($name | split("-")[0] | tonumber), run: ($name | sub("^[0-9]+-"; "")), intent: ($intent[0] // {}), decision: ($decision | null_if_empty),
     abandoned: ($abandoned | null_if_empty), outcome: ($outcome[0] // null), active: ($active and ($outcome[0] == null))}'
}

# One symlink that confirmation, timeout, every failure and every recovery race for. DECISION is what holds afterwards; it is
# on disk before anybody acts on it. An error other than "exists" is not a win.
DECISION=''
claim() { # SEQ-RUN confirmed|reverted
  ln -sT "$2" "$ATTEMPTS/$1/decision" 2>/dev/null || true
  sync "$ATTEMPTS/$1" || true
  DECISION=$(readlink "$ATTEMPTS/$1/decision" 2>/dev/null || true)
}

next_sequence() {
  local last
  last=$(find "$ATTEMPTS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tail -n 1)
  last=${last%%-*}
  printf '%06d\n' $((10#${last:-0} + 1))
}

# A closed record: only when profile, boot default, running system and services are one release.
close_attempt() { # SEQ-RUN JSON
  durable_write "$ATTEMPTS/$1/outcome.json" <<<"$2"
}

# Roots of runs that are not open any more
drop_roots() {
  local open root run
  open=$(open_attempt)
  sync "$ATTEMPTS"
  for root in "$ROOTS"/*-old "$ROOTS"/*-new "$ROOTS"/*-boot; do
    [ -L "$root" ] || continue
    run=${root##*/}
    run=${run%-*}
    [ "$run" = "${open#*-}" ] && continue
    # a plan in progress has a root and no attempt yet: six hours are more than any build and approval take
    if [ ! -d "$(find "$ATTEMPTS" -maxdepth 1 -name "*-$run" -print -quit)" ] && [ -n "$(find "$root" -mmin -360)" ]; then continue; fi
    rm -f "$root"
  done
  sync "$ROOTS"
}

# Generations beyond `keep`, never the running, booted, default, previous or one of an open attempt. Records that hold stay.
prune() {
  local keep n closure running booted default previous open
  local -a all removed=()
  keep=$(jq -r '.keep // 15' "$(manifest_of "$(running_closure)")" 2>/dev/null || echo 15)
  running=$(running_closure)
  booted=$(readlink -f /run/booted-system)
  default=$(boot_default)
  open=$(open_attempt)
  previous=$(find "$ATTEMPTS" -name outcome.json -print | sort | tail -n 1)
  previous=$([ -z "$previous" ] || jq -r '.old.closure // empty' "$(dirname "$previous")/intent.json" 2>/dev/null || true)
  mapfile -t all < <(find "$(dirname "$PROFILE")" -maxdepth 1 -name 'system-*-link' -printf '%f\n' | sed 's/^system-//; s/-link$//' | sort -rn)
  for n in "${all[@]:$keep}"; do
    closure=$(generation_closure "$n")
    [ "$n" != "$(profile_generation)" ] || continue
    case $closure in "$running" | "$booted" | "$default" | "$previous") continue ;; esac
    if [ -n "$open" ] && grep -Fq "$closure" "$ATTEMPTS/$open/intent.json"; then continue; fi
    rm -f "$PROFILE-$n-link"
    removed+=("$n")
  done
  # records: as many as a person may want to look back at, and all that hold
  find "$ATTEMPTS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -r | tail -n +201 | while IFS= read -r n; do
    [ -e "$ATTEMPTS/$n/outcome.json" ] && jq -e '.hold == null' "$ATTEMPTS/$n/outcome.json" >/dev/null && rm -rf "${ATTEMPTS:?}/$n"
  done
  find "$RUNTIME/runs" -mindepth 1 -maxdepth 1 -type d -mmin +10080 -exec rm -rf {} + 2>/dev/null || true
  jq -cn --args '{removed: ($ARGS.positional | map(tonumber))}' "${removed[@]}"
}
