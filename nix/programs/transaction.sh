# shellcheck shell=bash
# cockpit-transaction VERB: the door to a host for a controller (docs/host-protocol.md). Run as root through sudo.
set -euo pipefail
libexec=${COCKPIT_SELF%/bin}/libexec
# shellcheck source=common.sh
. "$libexec/common.sh"
# shellcheck source=render.sh
. "$libexec/render.sh"
# shellcheck source=before.sh
. "$libexec/before.sh"
# shellcheck source=directories.sh
. "$libexec/directories.sh"
# shellcheck source=containers.sh
. "$libexec/containers.sh"
# shellcheck source=projects.sh
. "$libexec/projects.sh"
# shellcheck source=compose.sh
. "$libexec/compose.sh"
# shellcheck source=check.sh
. "$libexec/check.sh"
# shellcheck source=attempts.sh
. "$libexec/attempts.sh"
# shellcheck source=events.sh
. "$libexec/events.sh"
# shellcheck source=activation.sh
. "$libexec/activation.sh"
# shellcheck source=phases.sh
. "$libexec/phases.sh"
# shellcheck source=recovery.sh
. "$libexec/recovery.sh"
# shellcheck source=leave.sh
. "$libexec/leave.sh"
# shellcheck source=supervise.sh
. "$libexec/supervise.sh"

export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 HOME=/root
REPO=$STATE/repo.git

valid_run() { [[ $1 =~ ^[0-9a-z]{4,16}$ ]] || fail 2 "'$1' is no run id"; }
valid_sha() { [[ $1 =~ ^[0-9a-f]{40}$ ]] || fail 2 "'$1' is no commit"; }

# A lock of git's has no owner that could be asked whether it lives. Who writes into the repository holds this one, so that what is
# there of git's then was left by a git that died, and would stop every deploy of that commit.
lock_repo() {
  exec 8>"$RUNTIME/repo.lock"
  flock -w 60 8 || fail 7 "another commit is being received" "it held its lock for a minute"
  [ ! -d "$REPO" ] || find "$REPO" -ignore_readdir_race -name '*.lock' -delete
}

verb_receive() { # SHA, pack on standard input
  valid_sha "$1"
  lock_repo
  if [ ! -d "$REPO" ]; then
    rm -rf "$REPO.new"
    git init -q --bare "$REPO.new"
    chmod 700 "$REPO.new"
    mv -T "$REPO.new" "$REPO"
  fi
  find "$REPO/objects/pack" -ignore_readdir_race -name 'tmp_*' -mmin +1440 -delete
  # a pack takes as long as the line of its controller does
  exec 8>&-
  local log=$RUNTIME/receive.$$
  if ! git -C "$REPO" index-pack --fix-thin --stdin >"$log" 2>&1; then
    local why
    why=$(tail -n 2 "$log" | tr '\n' ' ')
    rm -f "$log"
    fail 4 "the commit could not be sent" "$why" "is the disk of the host full? df -h /var/lib/cockpit"
  fi
  rm -f "$log"
  git -C "$REPO" cat-file -e "$1^{commit}" 2>/dev/null || fail 4 "the commit could not be sent" "the pack does not hold it"
  lock_repo
  git -C "$REPO" update-ref "refs/cockpit/$1" "$1"
  jq -cn --arg c "$1" '{commit: $c}'
}

verb_build() { # RUN SHA FOLDER ATTRIBUTE
  valid_run "$1"
  valid_sha "$2"
  [[ $3 =~ ^[A-Za-z0-9._/-]*$ && $3 != /* && $3 != *..* ]] || fail 2 "'$3' is no folder of the repository"
  [[ $4 =~ ^[A-Za-z0-9._-]+$ ]] || fail 2 "'$4' is no host of the flake"
  local start=$SECONDS closure log status=0
  log=$RUNTIME/build.$1
  # the repository belongs to root; nix asks git, which wants to hear that this is meant
  printf '[safe]\n\tdirectory = %s\n' "$REPO" >"$RUNTIME/gitconfig.$$" && mv -T "$RUNTIME/gitconfig.$$" "$RUNTIME/gitconfig"
  # In the background: bash runs a trap only between commands, and a controller that gives up must not leave a build behind.
  trap 'kill -TERM "$building" 2>/dev/null; exit 143' TERM HUP
  GIT_CONFIG_GLOBAL=$RUNTIME/gitconfig nix --extra-experimental-features 'nix-command flakes' build --no-link --print-out-paths --print-build-logs --no-update-lock-file \
    "git+file://$REPO?ref=refs/cockpit/$2&rev=$2${3:+&dir=$3}#nixosConfigurations.\"$4\".config.system.build.toplevel" >"$log.out" 2> >(tee "$log" >&2) </dev/null &
  local building=$!
  wait "$building" || status=$?
  trap - TERM HUP
  closure=$(cat "$log.out")
  rm -f "$log.out"
  if [ "$status" != 0 ]; then
    local why own
    sleep 0.1 # tee may still write
    why=$(build_error "$log")
    # the release's own builder says what is wrong with the homelab's files
    own=$(grep -ao 'cockpit: .*' "$log" | sed 's/^cockpit: //' | head -n 4 || true)
    rm -f "$log"
    case $why in
      *'No space left'* | *'no space left'*) fail 4 "the build failed: the disk is full" "$why" "free space on /nix/store: nix-collect-garbage" ;;
    esac
    if [ -n "$own" ]; then
      fail 4 "the release cannot be built" "$(grep -v '^hint:' <<<"$own" | head -n 1)" "$(sed -n 's/^hint: //p' <<<"$own" | head -n 1)"
    fi
    fail 4 "the build failed" "$why" "nothing changed on the host; mend the commit and deploy again"
  fi
  rm -f "$log"
  verb_prepare "$1" "$(tail -n 1 <<<"$closure")" "$start"
}

# What a build ends with; at first contact the closure was built by other means.
verb_prepare() { # RUN CLOSURE [SECONDS at the start]
  valid_run "$1"
  [[ $2 =~ ^/nix/store/[A-Za-z0-9+._?=-]+$ && -x $2/bin/switch-to-configuration ]] || fail 4 "'$2' is no system"
  mkdir -p "$ROOTS"
  durable_link "$2" "$ROOTS/$1-new"
  pull_images "$2"
  jq -cn --arg c "$2" --argjson s $((SECONDS - ${3:-SECONDS})) '{closure: $c, seconds: $s}'
}

# What nix says last is the cause; what it says before is how it got there. Paths become those of the repository.
build_error() { # LOG
  awk '{ line[NR] = $0 } /error: ./ { last = NR } END { if (!last) last = NR > 5 ? NR - 5 : 1; for (i = last; i <= NR && i < last + 10; i++) print line[i] }' "$1" |
    sed -e 's|/nix/store/[a-z0-9]*-source/||g' -e 's/^ *error: //' -e '/^ *$/d'
}

pull_images() { # CLOSURE: every image that is not here; mutable tags that are here are left to the operator
  local manifest image why
  manifest=$(manifest_of "$1")
  [ -n "$manifest" ] || return 0
  # at first contact the release may bring the engine
  ! engine_missing || return 0
  while IFS= read -r image; do
    [ -n "$image" ] || continue
    docker image inspect "$image" >/dev/null 2>&1 && continue
    say "pulling $image"
    why=$(timeout 600 docker pull -q "$image" 2>&1 >/dev/null </dev/null) || fail 4 "the image $image cannot be had" "${why:-docker pull did not end within 600s}" "is the name right, and does the host reach the registry?"
    # where a variable is in the name compose pulls it
  done < <(jq -r '[.projects[].services[].image // empty | select(contains("$") | not)] | unique[]' "$manifest")
}

verb_state() { # [RUN]
  if [ $# -eq 0 ]; then
    local name
    for name in "$ATTEMPTS"/*/; do [ ! -d "$name" ] || attempt_json "$(basename "$name")"; done | jq -cs --arg haves "$(git -C "$REPO" for-each-ref --format='%(objectname)' refs/cockpit 2>/dev/null || true)" \
      '{attempts: ., haves: ($haves | split("\n") | map(select(. != "")))}'
    return
  fi
  valid_run_prefix "$1"
  local -a found
  mapfile -t found < <(cd "$ATTEMPTS" 2>/dev/null && ls -d -- *-"$1"* 2>/dev/null || true)
  case ${#found[@]} in
    1) ;;
    0) fail 9 "nothing happened on this host" "no attempt has the run id '$1'" ;;
    *) fail 9 "'$1' is not unique" "it could be ${found[*]}" ;;
  esac
  # an outcome is told only from a record that is on disk
  sync "$ATTEMPTS/${found[0]}"
  attempt_json "${found[0]}"
}

valid_run_prefix() { [[ $1 =~ ^[0-9a-z]{1,16}$ ]] || fail 2 "'$1' is no run id"; }

verb_run() { # request on standard input
  local request run folder status=0 tries
  request=$(head -c 1000000)
  run=$(jq -re .run <<<"$request") || fail 2 "the request is not understood"
  valid_run "$run"
  prepare_places
  folder=$RUNTIME/runs/$run
  [ ! -e "$folder" ] || fail 9 "run $run was started already"
  mkdir -p "$folder"
  printf '%s' "$request" >"$folder/request.json"
  local revert_after
  revert_after=$(jq -r '.timing.revert_after // 300 | ceil' <<<"$request")
  # The unit's name is the lock. Its limits cover every deadline of a revert; ExecStopPost is the first recovery.
  # Where this run goes over one that could not be ended, a recovery of that one may hold it for a while, or take it just now.
  local over
  over=$(jq -r '.over // empty' <<<"$request")
  for ((tries = 0; tries < 600; tries++)); do
    status=0
    systemd-run --quiet --collect --no-ask-password --unit="$UNIT" --service-type=exec --description="cockpit $run" \
      -p Delegate=yes -p KillMode=control-group -p TimeoutStopSec=$((revert_after * 2 + 900)) -p OOMScoreAdjust=-900 \
      -p "ExecStopPost=$COCKPIT_SELF/cockpit-transaction recover-here" \
      "$COCKPIT_SELF/cockpit-transaction" supervise "$run" >"$folder/systemd" 2>&1 </dev/null || status=$?
    [ "$status" != 0 ] && [ -n "$over" ] && held_by_recovery "$folder/systemd" "$tries" || break
    sleep 0.3
  done
  if [ "$status" != 0 ]; then
    local why
    why=$(tr '\n' ' ' <"$folder/systemd")
    rm -rf "$folder"
    ! unit_active || refuse_locked
    case $why in
      # nothing was sent: no bus yet or no longer, or a shutdown is queued that starts nothing more
      *'Failed to connect'* | *'is destructive'* | *'shutting down'*) fail 3 "systemd does not start anything now" "$why" "the host is starting or stopping: try again" ;;
      # taken for a moment by one that has just ended, or by one that has just begun
      *'already loaded'* | *'already exists'*) fail 7 "the host is locked" "$why" "try again" ;;
      # the question was sent, and its answer lost
      *'reset by peer'* | *'not connected'* | *'timed out'* | *'disconnected'* | *'terminated'*) fail 11 "whether the transaction began is unknown" "$why" "cockpit attach $run" ;;
    esac
    fail 9 "the transaction could not be started" "$why" "journalctl -u $UNIT"
  fi
  for ((tries = 0; tries < 1200; tries++)); do
    if [ -e "$folder/started" ]; then
      status=$(jq -r '.error.exit // 0' "$folder/started")
      cat "$folder/started"
      exit "$status"
    fi
    [ $((tries % 20)) -ne 19 ] || unit_active || [ -e "$folder/started" ] || fail 11 "the transaction ended before it told anything" "journalctl -u $UNIT"
    sleep 0.05
  done
  fail 11 "the transaction does not answer" "it is still busy with an earlier attempt's recovery" "cockpit attach $run"
}

# Whether what refused a start was a recovery: one that runs, that has just ended, or that has not yet said who it is.
held_by_recovery() { # FILE with what systemd-run said, TRIES so far
  if ! unit_active; then
    grep -qs 'already' "$1"
  elif [ -e "$RUNTIME/holder.json" ]; then
    grep -qs '"kind":"recovery"' "$RUNTIME/holder.json"
  else
    [ "$2" -lt 10 ]
  fi
}

verb_confirm() { # RUN reach|confirm
  valid_run "$1"
  local folder=$RUNTIME/runs/$1 attempt
  [ -d "$folder" ] || fail 9 "run $1 is not known here"
  case ${2:-} in
    reach)
      : >"$folder/reach"
      jq -cn --arg r "$1" '{run: $r, proof: "reach"}'
      ;;
    confirm)
      [ -e "$folder/awaiting" ] || fail 9 "run $1 does not wait for a confirmation"
      attempt=$(open_attempt)
      [ "${attempt#*-}" = "$1" ] || fail 9 "run $1 is not open"
      claim "$attempt" confirmed
      [ "$DECISION" = confirmed ] || fail 5 "run $1 was reverted" "the confirmation came too late"
      jq -cn --arg r "$1" '{run: $r, decision: "confirmed"}'
      ;;
    *) fail 2 "usage: confirm RUN reach|confirm" ;;
  esac
}

verb_recover() { # [--wait]: starts recovery in the transaction's unit where an attempt is open
  local open tries
  prepare_places
  note_boot_default || true
  open=$(open_attempt)
  # An activation starts the boot unit too: inside a transaction, which ends itself. Waiting for it would be waiting for ourselves.
  if unit_active; then
    jq -cn --arg o "${open#*-}" '{open: (if $o == "" then null else $o end)}'
    return
  fi
  if [ -n "$open" ]; then
    systemd-run --quiet --collect --no-ask-password --unit="$UNIT" --service-type=exec --description="cockpit recovery" -p Delegate=yes -p KillMode=control-group \
      -p TimeoutStopSec=1800 -p "ExecStopPost=$COCKPIT_SELF/cockpit-transaction recover-here" "$COCKPIT_SELF/cockpit-transaction" recover-here >&2 || true
  fi
  if [ "${1:-}" = --wait ]; then
    for ((tries = 0; tries < 3400; tries++)); do
      unit_active || break
      sleep 0.5
    done
    [ -z "$(open_attempt)" ] || fail 6 "attempt $(open_attempt) is still open" "$(cat "$STATE/RESCUE.txt" 2>/dev/null || true)"
    drop_roots
  fi
  jq -cn --arg o "${open#*-}" '{open: (if $o == "" then null else $o end)}'
}

verb=${1:-}
[ $# -eq 0 ] || shift
[ "$(id -u)" = 0 ] || fail 2 "cockpit-transaction must run as root" "" "sudo /run/current-system/sw/bin/cockpit-transaction $verb"
case $verb in
  receive | build | prepare | check | run | compose | confirm | recover | state | prune | leave) prepare_places ;;
esac
case $verb in
  receive) verb_receive "${1:-}" ;;
  build) verb_build "${1:-}" "${2:-}" "${3:-}" "${4:-}" ;;
  prepare) verb_prepare "${1:-}" "${2:-}" ;;
  check) check ;;
  staged) [ "${COCKPIT_STAGED:-}" = 1 ] && staged_changes "$1" "${2:-}" ;;
  run) verb_run ;;
  compose) verb_compose "$@" ;;
  compose-here) compose_here "$1" "$2" "${3:-}" ;;
  confirm) verb_confirm "${1:-}" "${2:-}" ;;
  recover) verb_recover "$@" ;;
  state) verb_state "$@" ;;
  prune) prune ;;
  leave) verb_leave ;;
  supervise) supervise "${1:-}" ;;
  recover-here) recover_here ;;
  *) fail 2 "usage: cockpit-transaction receive|build|prepare|check|run|compose|confirm|recover|state|prune|leave" ;;
esac
