"""From log to log."""
