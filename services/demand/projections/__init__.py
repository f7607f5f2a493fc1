"""What demand shows: one read model per question."""
