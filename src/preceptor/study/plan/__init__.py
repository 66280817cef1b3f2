"""What is left to do, how long it takes, and what it needs."""
