"""What was heard of one record of the other services, counted as demand."""
