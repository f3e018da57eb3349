# shellcheck shell=bash
# cockpit-converge RELEASE: makes the running compose projects equal to this release. Runs at boot and whenever the unit changes,
# so that a plain rebuild, a boot menu choice and a rollback by hand converge too.
set -euo pipefail
# shellcheck source=common.sh
. "${COCKPIT_SELF%/bin}/libexec/common.sh"
# shellcheck source=before.sh
. "${COCKPIT_SELF%/bin}/libexec/before.sh"
# shellcheck source=containers.sh
. "${COCKPIT_SELF%/bin}/libexec/containers.sh"
# shellcheck source=projects.sh
. "${COCKPIT_SELF%/bin}/libexec/projects.sh"

[ $# -eq 1 ] || fail 2 "usage: cockpit-converge RELEASE"
manifest=$(manifest_of "$1")
[ -n "$manifest" ] || fail 2 "$1 is no release" "it has no manifest.json"
prepare_places
# A transaction converges by itself, after it has proved that the host can be reached. A plain rebuild has the same unit, but no holder.
# One that brings a project up or down holds the unit too, and the lock below for as long.
if [ -n "$(open_attempt)" ] || { unit_active && [ -e "$RUNTIME/holder.json" ] && ! grep -q '"kind":"compose"' "$RUNTIME/holder.json"; }; then
  say "a transaction is open: it converges by itself"
  exit 0
fi
exec 9>"$RUNTIME/converge.lock"
flock -w 600 9 || fail 7 "another cockpit-converge runs"
converge_release "$manifest" || fail 5 "the projects are not as the release says" "$CONVERGE_WHY" "journalctl -u cockpit-converge"
