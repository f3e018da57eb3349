# shellcheck shell=bash
# Making one of the two releases so, whole and again and again; and recovery, which decides by what is on disk. Sourced.

restore_images() { # mutable tags that the other release moved
  local ref id
  intent '.images // {} | to_entries[] | "\(.key)\u001f\(.value)"' | while IFS=$'\x1f' read -r ref id; do
    [ "$(docker image inspect --format '{{.Id}}' "$ref" 2>/dev/null)" = "$id" ] || docker tag "$id" "$ref" 2>/dev/null || true
  done
}

ensure() { # old|new -> 0, or 1 with FAIL_WHY. Profile, boot default, activation, converge, verify, in this order.
  local closure generation manifest status=0 bad
  closure=$(intent ".$1.closure")
  generation=$(intent ".$1.generation // empty")
  manifest=$(manifest_of "$closure")
  now_monotonic DEADLINE
  DEADLINE=$((DEADLINE + 60000))
  # where nothing was ever confirmed neither link was touched, unless by the one that this attempt went over
  if [ "$1" = new ] || [ -n "$(intent '.over // empty')" ] || [ "$(readlink "$ATTEMPTS/$ATTEMPT/decision")" = confirmed ] || [ "$(readlink -f "$PROFILE")" != "$(intent .profile)" ]; then
    if [ "$1" = old ] && [ "$(intent .profile)" != "$closure" ]; then
      # it ran as a test only: the profile goes back to what it was
      set_profile "$(intent .profile)" "$(intent '.profile_generation // empty')" || status=1
      set_boot "$(intent .boot_default)" || status=1
    else
      set_profile "$closure" "$generation" || status=1
      set_boot "$closure" || status=1
    fi
    if [ "$status" != 0 ]; then
      FAIL_WHY="profile or boot loader could not be set: $(cat "$FOLDER/profile.log" "$FOLDER/activate.log" 2>/dev/null | tail -n 1)"
      return 1
    fi
  fi
  activate "$closure" test 300 || status=$?
  bad=$(comm -13 <(intent '.failed_units[]' | sort) <(failed_units) | tr '\n' ' ')
  if [ "$(running_closure)" != "$closure" ] || { [ "$status" != 0 ] && { [ "$status" != 4 ] || [ -n "${bad// /}" ]; }; }; then
    FAIL_WHY="the activation of $closure failed ($status) $bad"
    return 1
  fi
  local arrived=''
  if [ "$1" = old ]; then
    arrived=$(manifest_of "$(intent .new.closure)")
    forget_arrivals "$arrived" "$manifest" || return 1
  fi
  if [ -z "$manifest" ]; then
    [ "$1" = new ] || remove_arrivals "$arrived" ""
    return
  fi
  [ "$1" = new ] || restore_images
  local missing why=''
  # dockerd may have restarted on the way: everything is looked at again
  wait_engine || return 1
  converge_release "$manifest" "$(jq -r .settings.timing.wait "$manifest")" || why=$CONVERGE_WHY
  missing=$(containers | missing_services "$manifest") || missing='the container engine'
  FAIL_WHY=${why:-not there: $missing}
  [ -z "$missing" ] || return 1
  [ "$1" = new ] || remove_arrivals "$arrived" "$manifest" || return 1
  [ -n "$why" ] || return 0
  # what was ill before is not ours to heal
  [ "$1" = old ] && [ "$(intent '.previous_health.healthy')" = false ] || return 1
  event warn "still as ill as before: $why"
}

wait_engine() {
  local tries
  for ((tries = 0; tries < 60; tries++)); do
    docker info >/dev/null 2>&1 && return 0
    [ "$tries" != 5 ] || systemctl start --no-block docker.service 2>/dev/null || true
    sleep 1
  done
  FAIL_WHY="the container engine does not answer"
  return 1
}

rescue() { # both ways failed: what to do by hand
  local old new
  old=$(intent .old.closure)
  new=$(intent .new.closure)
  durable_write "$STATE/RESCUE.txt" <<EOF || true
cockpit could not make either release whole (run $RUN): $FAIL_WHY
It tries again by itself (cockpit-recover.service). By hand, as root:
  old release:  $old/bin/switch-to-configuration switch
  new release:  $new/bin/switch-to-configuration switch
  services:     systemctl restart cockpit-converge; journalctl -u cockpit-converge
  then:         cockpit-transaction recover
EOF
  event closed "$FAIL_WHY" data "$(jq -cn --arg r "$FAIL_WHY" --arg run "$RUN" '{result: "revert-failed", exit: 6, reason: $r, run: $run, hint: "RESCUE.txt on the host says what to do by hand"}')"
}

go_back() { # EXIT REASON: the attempt ends on the old release
  local why=$2 code=$1
  PHASE=revert
  event start "$why"
  if ensure old; then
    close_with reverted "$code" "$why" "" || return 1
    return 0
  fi
  rescue
  return 1
}

abandon() { # REASON: durable before anything is turned back
  durable_write "$ATTEMPTS/$ATTEMPT/abandoned" <<<"$1"
}

# ---- recovery: the same program from ExecStopPost, at boot, from the retry unit and for the next holder of the lock -----------

recover_open() { # acts on the open attempt only, by what is on disk; 0 when it is closed
  local running
  ATTEMPT=$(open_attempt)
  [ -n "$ATTEMPT" ] || return 0
  local saved_run=$RUN saved_folder=$FOLDER saved_events=$EVENTS status=0
  RUN=${ATTEMPT#*-}
  FOLDER=$RUNTIME/runs/$RUN
  EVENTS=$FOLDER/events
  mkdir -p "$FOLDER"
  PHASE=revert
  claim "$ATTEMPT" reverted
  running=$(running_closure)
  event start "recovery: $DECISION"
  close_the_one_before || true
  if [ "$running" != "$(intent .old.closure)" ] && [ "$running" != "$(intent .new.closure)" ]; then
    local manifest
    manifest=$(manifest_of "$running")
    if [ -z "$manifest" ] || converge_release "$manifest"; then
      close_with superseded 9 "another system was activated meanwhile: $running" "cockpit status" || status=1
    else
      FAIL_WHY=$CONVERGE_WHY
      rescue
      status=1
    fi
  elif [ "$DECISION" = confirmed ] && [ ! -e "$ATTEMPTS/$ATTEMPT/abandoned" ]; then
    PHASE=finish
    if ensure new; then
      close_with "done" 0 "finished by recovery" "" || status=1
      settle_directories "$(manifest_of "$(intent .new.closure)")" || true
    else
      abandon "$FAIL_WHY" && go_back 5 "$FAIL_WHY" || status=1
    fi
  else
    go_back 5 "$(cat "$ATTEMPTS/$ATTEMPT/abandoned" 2>/dev/null || echo "the transaction was interrupted")" || status=1
  fi
  RUN=$saved_run FOLDER=$saved_folder EVENTS=$saved_events ATTEMPT=''
  return "$status"
}

recover_here() {
  # a shutdown stops the unit too: what boots next recovers
  [ "$(systemctl is-system-running 2>/dev/null || true)" != stopping ] || exit 0
  prepare_places
  local status=0 open
  open=$(open_attempt)
  [ -z "$open" ] || jq -cn --arg run "${open#*-}" '{$run, who: "cockpit", origin: "recovery on this host", kind: "recovery", since: now}' >"$RUNTIME/holder.json.tmp"
  [ -z "$open" ] || mv -T "$RUNTIME/holder.json.tmp" "$RUNTIME/holder.json"
  recover_open || status=$?
  [ "$status" != 0 ] || drop_roots
  rm -f "$RUNTIME/holder.json"
  [ "$status" = 0 ] || exit 6
}
