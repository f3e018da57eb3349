# shellcheck shell=bash
# Events of a run, its phases with their deadline, and what `run` waits for. Sourced.

RUN='' FOLDER='' EVENTS=/dev/null ATTEMPT='' PHASE='' PHASE_START=0 FAIL_EXIT=5 FAIL_WHY='' TIMINGS='[]' DEADLINE=0 OUTPUTS=0

now_monotonic() { # VARIABLE: whole centiseconds since boot; a clock that nobody sets
  local up rest
  read -r up rest </proc/uptime
  up=${up/./}
  printf -v "$1" '%s' "$((10#$up))"
}

event() { # EVENT TEXT [KEY JSON]...
  local text line
  if [ "$1" = output ]; then
    OUTPUTS=$((OUTPUTS + 1))
    [ "$OUTPUTS" -le 5000 ] || return 0
  fi
  json_string text "$2"
  line="{\"t\":$EPOCHREALTIME,\"event\":\"$1\",\"phase\":\"$PHASE\",\"text\":$text"
  shift 2
  while [ $# -ge 2 ]; do
    line+=",\"$1\":$2"
    shift 2
  done
  printf '%s}\n' "$line" >>"$EVENTS"
}

note() { # EVENT TEXT [SECONDS-LEFT]: what the projects tell while they converge
  if [ -n "${3:-}" ]; then event "$1" "$2" left "$3"; else event "$1" "$2"; fi
}

phase() { # NAME TEXT COMMAND...: one phase with its events; its status is the command's
  local status=0 end left
  PHASE=$1
  now_monotonic PHASE_START
  left=$(((DEADLINE - PHASE_START) / 100))
  event start "$2" left "$left"
  shift 2
  "$@" || status=$?
  now_monotonic end
  local took
  printf -v took '%d.%02d' $(((end - PHASE_START) / 100)) $(((end - PHASE_START) % 100))
  TIMINGS=$(jq -c --arg p "$PHASE" --argjson s "$took" '. + [[$p, $s]]' <<<"$TIMINGS")
  [ "$status" != 0 ] || event end "${PHASE_TEXT:-}" seconds "$took"
  PHASE_TEXT=''
  return "$status"
}

intent() { jq -r "$1" "$ATTEMPTS/$ATTEMPT/intent.json"; }

answer() { # JSON: what `run` waits for
  printf '%s\n' "$1" >"$FOLDER/started.tmp" && mv -T "$FOLDER/started.tmp" "$FOLDER/started"
}

refuse() { # EXIT WHAT WHY HINT: before an attempt is open
  answer "$(fail "$@")" || true
  PHASE=lock
  event closed "$2" data "$(jq -cn --argjson e "$1" --arg w "$2" --arg y "$3" --arg h "$4" '{result: "refused", exit: $e, reason: $w, why: $y, hint: $h}')"
  rm -f "$RUNTIME/holder.json"
  exit 0
}
