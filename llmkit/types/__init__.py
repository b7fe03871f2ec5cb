"""The values that are passed around: frozen, and of the standard library only."""
