"""Kernel of the four services."""
