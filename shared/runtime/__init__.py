"""Process plumbing."""
