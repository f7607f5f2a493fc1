"""The rules of the catalog; pure."""
