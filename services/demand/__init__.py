"""What will be needed and what is worth doing."""
