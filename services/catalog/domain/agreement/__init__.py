"""What the catalog has heard about one agreement and how well it is kept."""
