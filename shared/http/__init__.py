"""What every HTTP API repeats."""
