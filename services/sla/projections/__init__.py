"""The questions that sla answers, one table each."""
