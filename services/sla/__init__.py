"""What we promised and whether we keep it."""
