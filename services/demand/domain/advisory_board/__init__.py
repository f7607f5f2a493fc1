"""The board that approves concepts: who sits on it and how much it may grant."""
