"""Read models of intake: one file per question."""
