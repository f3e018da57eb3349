# shellcheck shell=bash
# The phases of a transaction: each returns 0, or 1 with FAIL_WHY (and FAIL_EXIT) set. Sourced.

do_activate() {
  local status=0
  activate "$NEW" test "$(seconds_left)" || status=$?
  case $status in
    0)
      [ "$(running_closure)" = "$NEW" ] && return 0
      FAIL_WHY="the activation ended well, but another system runs"
      return 1
      ;;
    4) FAIL_WHY="units failed: $(comm -13 <(intent '.failed_units[]' | sort) <(failed_units) | tr '\n' ' ')(4)" ;;
    2) FAIL_WHY="the activation script failed (2)" ;;
    11) FAIL_WHY="another activation holds its lock (11)" FAIL_EXIT=7 ;;
    124) FAIL_WHY="the activation did not end before its deadline" ;;
    1 | 100)
      FAIL_WHY="the new system refuses to be activated ($status): $(tail -n 1 "$FOLDER/activate.log")"
      # before any unit changed
      [ "$(running_closure)" != "$OLD" ] || FAIL_EXIT=9
      ;;
    *) FAIL_WHY="the activation failed ($status)" ;;
  esac
  return 1
}

do_reach() {
  local now
  event wait "a new connection from the controller" left "$(seconds_left)"
  while :; do
    [ ! -e "$FOLDER/reach" ] || return 0
    now_monotonic now
    if [ "$now" -ge "$DEADLINE" ]; then
      FAIL_WHY="no new connection reached the host before the deadline"
      return 1
    fi
    sleep 0.05
  done
}

do_converge() {
  [ -n "$NEW_MANIFEST" ] || return 0
  local left
  left=$(seconds_left)
  local wait=$WAIT
  [ "${wait%.*}" -le "$left" ] || wait=$left
  converge_release "$NEW_MANIFEST" "$wait" && return 0
  FAIL_WHY=$CONVERGE_WHY
  return 1
}

health_check() { # JSON of one check -> 0, or words on stdout
  local url unit code
  url=$(jq -r '.http // empty' <<<"$1")
  unit=$(jq -r '.unit // empty' <<<"$1")
  if [ -n "$url" ]; then
    code=$(curl -s -o /dev/null --max-time 5 -w '%{http_code}' "$url" || true)
    [ "$code" = "$(jq -r '.status // 200' <<<"$1")" ] || { printf '%s answers %s' "$url" "$code" && return 1; }
  fi
  if [ -n "$unit" ]; then
    systemctl is-active --quiet "$unit" || { printf '%s is not active' "$unit" && return 1; }
  fi
}

do_verify() {
  local seen before='' after bad missing check words end now
  local -a projects
  bad=$(comm -13 <(intent '.failed_units[]' | sort) <(failed_units) | tr '\n' ' ')
  if [ -n "${bad// /}" ]; then
    FAIL_WHY="units failed: $bad"
    return 1
  fi
  if [ -n "$NEW_MANIFEST" ]; then
    mapfile -t projects < <(jq -r '.projects | keys[]' "$NEW_MANIFEST")
    seen=$(containers) || true
    before=$(restart_marks "$NEW_MANIFEST" <<<"$seen")
    missing=$(missing_services "$NEW_MANIFEST" <<<"$seen")
    if [ -n "$missing" ]; then
      FAIL_WHY="not there: $missing"
      return 1
    fi
  fi
  now_monotonic now
  end=$((now + $(jq -rn --arg s "$STABLE" '$s | tonumber * 100 | floor')))
  event wait "${STABLE}s without a restart" left "$STABLE"
  while now_monotonic now && [ "$now" -lt "$end" ]; do sleep 0.2; done
  if [ -n "$NEW_MANIFEST" ]; then
    after=$(containers | restart_marks "$NEW_MANIFEST")
    bad=$(diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") | awk '/^[<>] ./{print $2}' | sort -u | tr '\n' ' ' || true)
    if [ -n "${bad// /}" ]; then
      FAIL_WHY="restarted within ${STABLE}s: $bad"
      return 1
    fi
    wait_projects 0 "${projects[@]}" || {
      FAIL_WHY=$CONVERGE_WHY
      return 1
    }
    while IFS= read -r check; do
      [ -n "$check" ] || continue
      end=$(($(seconds_left) < ${WAIT%.*} ? $(seconds_left) : ${WAIT%.*}))
      end=$((SECONDS + end))
      until words=$(health_check "$check"); do
        if [ "$SECONDS" -ge "$end" ]; then
          FAIL_WHY="health check: $words"
          return 1
        fi
        event wait "$words" left $((end - SECONDS))
        sleep 1
      done
    done < <(jq -c '.settings.health[]?' "$NEW_MANIFEST")
  fi
}

do_confirm() {
  local now
  : >"$FOLDER/awaiting"
  event wait "the controller's confirmation, by a new connection" left "$(seconds_left)"
  while :; do
    [ ! -L "$ATTEMPTS/$ATTEMPT/decision" ] || return 0
    now_monotonic now
    if [ "$now" -ge "$DEADLINE" ]; then
      FAIL_WHY="no confirmation before the deadline"
      return 1
    fi
    sleep 0.05
  done
}

do_decide() {
  # whoever made the link may not have synced it yet
  sync "$ATTEMPTS/$ATTEMPT" || return 1
  DECISION=$(readlink "$ATTEMPTS/$ATTEMPT/decision")
  event decided "$DECISION"
  rm -f "$FOLDER/awaiting"
  [ "$DECISION" = confirmed ] && return 0
  FAIL_WHY="the decision was $DECISION"
  return 1
}

set_profile() { # CLOSURE GENERATION ("" for a new one)
  if [ -n "$2" ] && [ "$(generation_closure "$2")" = "$1" ]; then
    nix-env -p "$PROFILE" --switch-generation "$2" >/dev/null 2>"$FOLDER/profile.log" || return 1
  elif [ "$(readlink -f "$PROFILE")" != "$1" ]; then
    nix-env -p "$PROFILE" --set "$1" >/dev/null 2>"$FOLDER/profile.log" || return 1
  fi
  sync -f "$(dirname "$PROFILE")" || return 1
  [ "$(readlink -f "$PROFILE")" = "$1" ]
}

set_boot() { # CLOSURE
  local default
  activate "$1" boot 300 || return 1
  default=$(boot_default)
  [ -z "$default" ] || [ "$default" = "$1" ] || return 1
  note_boot_default || true
  sync -f /boot && sync -f /nix
}

do_profile() {
  if [ "$(running_closure)" != "$NEW" ]; then
    FAIL_WHY="another system was activated meanwhile"
    return 1
  fi
  set_profile "$NEW" "$(intent '.new.generation // empty')" && return 0
  FAIL_WHY="the profile could not be set: $(tail -n 1 "$FOLDER/profile.log" 2>/dev/null)"
  return 1
}

do_boot() {
  set_boot "$NEW" && return 0
  FAIL_WHY="the boot loader could not be set: $(tail -n 1 "$FOLDER/activate.log" 2>/dev/null)"
  return 1
}

outcome_json() { # RESULT EXIT REASON HINT
  local generation
  generation=$(profile_generation)
  [ "$(generation_closure "${generation:-none}")" = "$(running_closure)" ] || generation=$(closure_generation "$(running_closure)")
  jq -cn --arg run "$RUN" --argjson seq "$((10#${ATTEMPT%%-*}))" --arg result "$1" --argjson exit "$2" --arg phase "${FAILED_PHASE:-}" --arg reason "$3" --arg hint "${4:-}" \
    --arg generation "$generation" --arg closure "$(running_closure)" --argjson ended "$EPOCHREALTIME" --argjson timings "$TIMINGS" --slurpfile intent "$ATTEMPTS/$ATTEMPT/intent.json" '
    {schema: 1, $run, $seq, $result, $exit, phase: (if $phase == "" then null else $phase end), $reason, $hint,
     generation: (if $generation == "" then null else ($generation | tonumber) end), $closure, $ended, $timings,
     hold: (if $result == "done" and $intent[0].kind == "rollback" and $intent[0].hold then {abandoned: ($intent[0].hold.abandoned // []), why: ($intent[0].hold.why // ""), by: $intent[0].who, at: $ended} else null end)}'
}

close_with() { # RESULT EXIT REASON HINT
  local outcome
  outcome=$(outcome_json "$@") || return 1
  close_attempt "$ATTEMPT" "$outcome" || return 1
  rm -f "$STATE/RESCUE.txt"
  CLOSED="$3" OUTCOME=$outcome
  # within a phase the event comes after the phase's own end
  [ "$PHASE" = record ] || event closed "$3" data "$outcome"
}
