"""What we offer and who owns it."""
