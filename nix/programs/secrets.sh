# shellcheck shell=bash
# cockpit-secrets RELEASE: renders this release's secrets into memory and points the project directories at its entries.
# Runs before docker at boot, and as a reload on activation. COCKPIT_SELF is set by the wrapper.
set -euo pipefail
# shellcheck source=common.sh
. "${COCKPIT_SELF%/bin}/libexec/common.sh"
# shellcheck source=render.sh
. "${COCKPIT_SELF%/bin}/libexec/render.sh"
# shellcheck source=before.sh
. "${COCKPIT_SELF%/bin}/libexec/before.sh"
# shellcheck source=directories.sh
. "${COCKPIT_SELF%/bin}/libexec/directories.sh"

[ $# -eq 1 ] || fail 2 "usage: cockpit-secrets RELEASE"
manifest=$(manifest_of "$1")
[ -n "$manifest" ] || fail 2 "$1 is no release" "it has no manifest.json"
mkdir -p "$RUNTIME" && chmod 755 "$RUNTIME"
exec 9>"$RUNTIME/secrets.lock"
flock -w 60 9 || fail 7 "another cockpit-secrets runs" "it held its lock for a minute"
mount_memory
render_secrets "$manifest"
open=$(open_attempt)
[ -z "$open" ] || load_taken "$(cat "$ATTEMPTS/$open/intent.json" 2>/dev/null || echo '{}')"
point_directories "$manifest"
