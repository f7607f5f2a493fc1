"""What the catalog has heard about one missed target of one record."""
