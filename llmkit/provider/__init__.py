"""What a backend implements, and where one is found by its name."""
