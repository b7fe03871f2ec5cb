"""When a call is tried again, and where it goes next: small state machines. No I/O; the time is passed in."""
