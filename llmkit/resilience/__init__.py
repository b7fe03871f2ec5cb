"""Whether a call is tried again, and which target comes next: small state machines. No I/O; the time is passed in."""
