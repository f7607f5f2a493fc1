"""What is heard of a request or RFC, and the clocks that agreements promise for it."""
