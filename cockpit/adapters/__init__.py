"""One module or package per outside system. Library exceptions end here."""
