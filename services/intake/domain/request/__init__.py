"""A request: anything that is asked of IT, from the first word to the last."""
