"""A person whose data is held: only that it was erased is ever recorded here."""
