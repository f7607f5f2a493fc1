"""What the catalog shows: one read model per question."""
