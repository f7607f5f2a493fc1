"""One service: from a proposal to its retirement."""
