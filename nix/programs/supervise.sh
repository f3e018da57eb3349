# shellcheck shell=bash
# The supervisor of one transaction, inside the unit whose name is the host's lock. Sourced.
# The order of what is written and synced here is the promise: read docs/transaction.md before changing a line.

healthy_before() { # MANIFEST -> {"healthy": bool, "why": ""}
  local why seen
  local -a projects
  why=$(failed_units | head -n 3 | tr '\n' ' ')
  if [ -n "$1" ] && [ -z "$why" ]; then
    seen=$(containers) || true
    why=$(missing_services "$1" <<<"$seen")
    mapfile -t projects < <(jq -r '.projects | keys[]' "$1")
    [ -n "$why" ] || why=$(readiness "$seen" "${projects[@]}" <<<"$seen" | sed '/^$/d' | head -n 1)
  fi
  jq -cn --arg w "${why% }" '{healthy: ($w == ""), why: $w}'
}

open_the_attempt() { # REQUEST [OVER]: durable, roots first, before the first change
  local request=$1 over=${2:-} seq running
  local -a projects
  durable_link "$OLD" "$ROOTS/$RUN-old" && durable_link "$NEW" "$ROOTS/$RUN-new" || return 1
  local boot inherited='{}'
  boot=$(boot_default)
  if [ -n "$over" ]; then
    # what it should go back to is what that one should have gone back to
    inherited=$(jq -c --arg over "$over" '{over: $over, old, profile, profile_generation, boot_default, failed_units, previous_health, running, present, images, projects_old: .projects.old}' "$ATTEMPTS/$over/intent.json") || return 1
    boot=$(jq -r '.boot_default // empty' <<<"$inherited")
  fi
  [ -z "$boot" ] || durable_link "$boot" "$ROOTS/$RUN-boot" || return 1
  mapfile -t projects < <(base_projects "$OLD_MANIFEST" "$NEW_MANIFEST")
  running=$(containers_of "${projects[@]}" | jq -cs 'map({project, service, ref, image, running})')
  seq=$(next_sequence)
  ATTEMPT=$seq-$RUN
  local content
  content=$(jq -c --argjson seq "$((10#$seq))" --argjson started "$EPOCHREALTIME" --arg old "$OLD" --arg oc "$(closure_commit "$OLD")" --arg og "$(closure_generation "$OLD")" \
    --argjson inherited "$inherited" --arg new "$NEW" --arg nc "$(closure_commit "$NEW")" --arg profile "$(readlink -f "$PROFILE")" --arg pg "$(profile_generation)" --arg boot "$boot" \
    --argjson failed "$(failed_units | jq -Rnc '[inputs]')" --argjson running "$running" --argjson health "$(healthy_before "$OLD_MANIFEST")" \
    --argjson op "$({ [ -z "$OLD_MANIFEST" ] || jq -r '.projects | keys[]' "$OLD_MANIFEST"; } | jq -Rnc '[inputs]')" --argjson np "$({ [ -z "$NEW_MANIFEST" ] || jq -r '.projects | keys[]' "$NEW_MANIFEST"; } | jq -Rnc '[inputs]')" '
    def null_if_empty: if . == "" then null else . end;
    def number_or_null: if . == "" then null else tonumber end;
    . + {schema: 1, $seq, $started, old: {closure: $old, generation: ($og | number_or_null), commit: ($oc | null_if_empty)},
     new: {closure: $new, generation: .generation, commit: ($nc | null_if_empty)}, $profile, profile_generation: ($pg | number_or_null), boot_default: $boot,
     failed_units: $failed, previous_health: $health, projects: {old: $op, new: $np},
     running: [$running[] | select(.running) | "\(.project)/\(.service)"], present: ([$running[].project] | unique),
     images: ([$running[] | select(.ref | contains("@") | not) | {(.ref): .image}] | add // {})}
    | .projects.old = ($inherited.projects_old // .projects.old) | . + ($inherited | del(.projects_old))' <<<"$request") || return 1
  mkdir "$ATTEMPTS/$ATTEMPT" && sync "$ATTEMPTS" && durable_write "$ATTEMPTS/$ATTEMPT/intent.json" <<<"$content" || return 1
  close_the_one_before
  # what an earlier cockpit left behind on a host that has none is nobody's
  [ -n "$OLD_MANIFEST" ] || [ -n "$over" ] || durable_remove "$OWNED"
  # and a unit that outlived its file, which docker does not ask for any more: one that is active would not be started
  [ -n "$OLD_MANIFEST" ] || systemctl stop cockpit-secrets.service >/dev/null 2>&1 || true
  # a tag that moves would take the old image with it
  jq -r '.images | to_entries[] | .value' <<<"$content" | sort -u | while IFS= read -r id; do docker tag "$id" "cockpit/keep:$RUN-${id:7:12}" 2>/dev/null || true; done
}

# The attempt that this one went over: closed once this one is on disk, by recovery where a crash came between.
close_the_one_before() {
  local over
  over=$(intent '.over // empty')
  [ -n "$over" ] && [ -d "$ATTEMPTS/$over" ] && [ ! -e "$ATTEMPTS/$over/outcome.json" ] || return 0
  close_attempt "$over" "$(jq -cn --arg over "$over" --arg by "$RUN" --argjson ended "$EPOCHREALTIME" --slurpfile intent "$ATTEMPTS/$over/intent.json" \
    '{schema: 1, run: ($over | sub("^[0-9]+-"; "")), seq: $intent[0].seq, result: "superseded", exit: 6, phase: "revert", generation: null, closure: null,
      reason: "neither release could be made whole; run \($by) went over it", hint: "cockpit attach \($by)", $ended, timings: [], hold: null}')"
}

supervise() { # RUN
  RUN=$1
  FOLDER=$RUNTIME/runs/$RUN
  EVENTS=$FOLDER/events
  : >>"$EVENTS"
  chmod 644 "$EVENTS"
  local request kind generation revert_after now base over open
  request=$(cat "$FOLDER/request.json")
  kind=$(jq -r '.kind // "deploy"' <<<"$request")
  jq -c '{run, who: (.who // ""), origin: (.origin // ""), kind: (.kind // "deploy"), since: now}' <<<"$request" >"$RUNTIME/holder.json.tmp"
  mv -T "$RUNTIME/holder.json.tmp" "$RUNTIME/holder.json"
  PHASE=lock
  over=$(jq -r '.over // empty' <<<"$request")
  open=$(open_attempt)
  OLD=$(running_closure)
  if [ -n "$over" ]; then
    [ "${open#*-}" = "$over" ] || refuse 9 "run $over is not open any more" "it was ended meanwhile" "plan again"
    event warn "run $over could not be ended: this one goes over it"
    OLD=$(jq -r .old.closure "$ATTEMPTS/$open/intent.json")
  elif [ -n "$open" ]; then
    event warn "an earlier attempt is open: it is ended first"
    recover_open || refuse 6 "an earlier attempt could not be ended" "$FAIL_WHY" "RESCUE.txt on the host says what to do by hand"
    OLD=$(running_closure)
  fi
  OLD_MANIFEST=$(manifest_of "$OLD")
  generation=$(jq -r '.generation // empty' <<<"$request")
  if [ "$kind" = resume ]; then
    NEW=$OLD
  elif [ -n "$generation" ]; then
    NEW=$(generation_closure "$generation")
    [ -e "$NEW" ] || refuse 9 "there is no generation $generation" "" "cockpit status"
  else
    NEW=$(jq -r '.closure // empty' <<<"$request")
  fi
  [[ $NEW == /nix/store/* && -x $NEW/bin/switch-to-configuration ]] || refuse 2 "there is no such system" "$NEW" ""
  NEW_MANIFEST=$(manifest_of "$NEW")
  WAIT=$(jq -r '.timing.wait // 120' <<<"$request")
  STABLE=$(jq -r '.timing.stable // 10' <<<"$request")
  revert_after=$(jq -r '.timing.revert_after // 300' <<<"$request")

  if [ "$kind" != resume ]; then
    base=$(if [ -n "$over" ]; then base_over "$over"; else base_projects "$NEW_MANIFEST" "$OLD_MANIFEST" | base_hash; fi)
    [ "$base" = "$(jq -r '.base // empty' <<<"$request")" ] || refuse 9 "the host changed since the plan was made" "closure, profile, boot default or containers are not what the plan was based on" "plan again"
  fi
  # what a release that stayed was to settle when it was cut off: going back from this one must not bring it back
  [ -n "$over" ] || settle_directories "$OLD_MANIFEST" || true
  open_the_attempt "$request" "${over:+$open}" || refuse 5 "the attempt could not be written down; nothing changed" "is the disk full?" "df -h /var/lib/cockpit /nix"
  answer "$(jq -cn --arg r "$RUN" --argjson s "$((10#${ATTEMPT%%-*}))" '{run: $r, seq: $s}')"

  if [ "$kind" = resume ]; then
    claim "$ATTEMPT" confirmed
    close_with "done" 0 "the hold is lifted" ""
    return
  fi

  now_monotonic now
  DEADLINE=$((now + $(jq -rn --arg s "$revert_after" '$s | tonumber * 100 | floor')))
  if phase activate "switch-to-configuration test" do_activate &&
    phase reach "a new connection" do_reach &&
    phase converge "compose projects" do_converge &&
    phase verify "${STABLE}s without a restart, health checks" do_verify &&
    phase confirm "a new connection" do_confirm; then
    :
  else
    FAILED_PHASE=$PHASE
    claim "$ATTEMPT" reverted
  fi
  DECISION=$(readlink "$ATTEMPTS/$ATTEMPT/decision" 2>/dev/null || true)
  if [ "$DECISION" != confirmed ]; then
    FAILED_PHASE=${FAILED_PHASE:-decide}
    go_back "$FAIL_EXIT" "$FAIL_WHY" || exit 6
    exit 0
  fi
  now_monotonic DEADLINE
  DEADLINE=$((DEADLINE + 60000))
  if phase decide "" do_decide && phase profile "" do_profile && phase boot "default entry" do_boot; then
    phase record "" close_with "done" 0 "" "" || exit 6 # still open: ExecStopPost finishes it
    settle_directories "$NEW_MANIFEST" || true
    event closed "$CLOSED" data "$OUTCOME"
    prune >/dev/null || true
    exit 0
  fi
  FAILED_PHASE=$PHASE
  abandon "$FAIL_WHY" || exit 6
  go_back 5 "$FAIL_WHY" || exit 6
}
