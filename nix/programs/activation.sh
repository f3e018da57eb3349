# shellcheck shell=bash
# switch-to-configuration in a cgroup of its own below the unit's: it can be killed whole, and dies with the unit. Sourced.

unit_cgroup() {
  local line
  while IFS= read -r line; do
    case $line in
      0::/?*) [ -e "/sys/fs/cgroup${line#0::}/cgroup.procs" ] && printf '/sys/fs/cgroup%s\n' "${line#0::}" && return ;;
      *:name=systemd:/*) [ -e "/sys/fs/cgroup/systemd${line#*:name=systemd:}/cgroup.procs" ] && printf '/sys/fs/cgroup/systemd%s\n' "${line#*:name=systemd:}" && return ;;
    esac
  done </proc/self/cgroup
  return 1
}

kill_cgroup() { # FOLDER
  local tries pid pids
  # cgroup v2 kills whole; v1 has to be asked again, since processes may fork meanwhile
  if [ -e "$1/cgroup.kill" ]; then
    echo 1 >"$1/cgroup.kill" || true
  fi
  for ((tries = 0; tries < 50; tries++)); do
    pids=$(cat "$1/cgroup.procs" 2>/dev/null || true)
    [ -n "$pids" ] || break
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 0.1
  done
}

# switch-to-configuration ACTION of a closure until a deadline; its status, 124 when it was killed at the deadline
activate() { # CLOSURE ACTION SECONDS
  local group='' log="$FOLDER/activate.log" pid end now status=0 line
  : >"$log"
  if group=$(unit_cgroup); then
    group=$group/activation
    mkdir -p "$group" 2>/dev/null || group=''
  fi
  (
    [ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"
    # never without syncs; never a terminal to ask on
    unset NIXOS_NO_SYNC
    exec "$1/bin/switch-to-configuration" "$2"
  ) >"$log" 2>&1 </dev/null &
  pid=$!
  now_monotonic now
  end=$((now + $3 * 100))
  exec 7<"$log"
  while kill -0 "$pid" 2>/dev/null; do
    while IFS= read -r line <&7; do event output "${line:0:400}"; done
    now_monotonic now
    if [ "$now" -ge "$end" ]; then
      event warn "the activation did not end within ${3}s: killed"
      [ -z "$group" ] || kill_cgroup "$group"
      kill -KILL "$pid" 2>/dev/null || true
      wait "$pid" 2>/dev/null || true
      status=124
      break
    fi
    sleep 0.1
  done
  [ "$status" = 124 ] || wait "$pid" || status=$?
  while IFS= read -r line <&7; do event output "${line:0:400}"; done
  exec 7<&-
  [ -z "$group" ] || rmdir "$group" 2>/dev/null || true
  return "$status"
}

failed_units() { systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null | awk '{print $1}' | sort; }

seconds_left() { # at least 1
  local now
  now_monotonic now
  local left=$(((DEADLINE - now) / 100))
  [ "$left" -gt 0 ] || left=1
  printf '%s\n' "$left"
}
