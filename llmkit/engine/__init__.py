"""The flows of a call: generators that yield what they want done. No I/O."""
