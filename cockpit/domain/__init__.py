"""What exists: frozen values, enums, the error tree, safe text. Imports nothing else of cockpit, and no third party."""
