"""Requests, changes and the board."""
