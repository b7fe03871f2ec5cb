"""What a user holds: a language model, and the ways to talk to it."""
