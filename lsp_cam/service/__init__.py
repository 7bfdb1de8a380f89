"""The daemon as a systemd service of the user's own session: `unit` writes it, `manager` talks to systemd."""
