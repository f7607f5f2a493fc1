"""The HTTP resources of intake."""
