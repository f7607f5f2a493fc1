"""Demand over HTTP: one module per resource."""
