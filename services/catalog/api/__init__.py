"""The catalog over HTTP: one module per resource."""
