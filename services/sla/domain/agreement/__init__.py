"""What is promised to whom, from the first draft to its end."""
