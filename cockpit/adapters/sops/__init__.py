"""Files that sops encrypted: what they are, what is plain in them, and decrypting them in memory."""

from cockpit.adapters.sops.files import FileStatus, is_encrypted, looks_plain, status_of
from cockpit.adapters.sops.program import Sops

__all__ = ["FileStatus", "Sops", "is_encrypted", "looks_plain", "status_of"]
