"""cockpit.yaml and the user's settings, read into the types of cockpit.domain.settings."""
