"""The four services and their launcher."""
