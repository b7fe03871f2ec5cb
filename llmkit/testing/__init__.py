"""What a test of a program that uses llmkit needs: a stand-in for the remote services."""
