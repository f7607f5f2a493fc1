"""What can be asked of sla over HTTP, one module per resource."""
