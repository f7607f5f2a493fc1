"""One project concept: from an idea to the benefits it brought."""
