"""The rooms that add up money. Amounts are `Decimal` US dollars; what is not known is counted, not guessed."""
