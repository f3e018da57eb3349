"""Files that sops encrypted: what they are, what is plain in them, and decrypting them in memory."""

from cockpit.adapters.sops.files import FileStatus, is_encrypted, looks_plain, status_of
from cockpit.adapters.sops.program import Sops
from cockpit.adapters.sops.store import SopsStore, kind_of

__all__ = ["FileStatus", "Sops", "SopsStore", "is_encrypted", "kind_of", "looks_plain", "status_of"]
