"""Which settings apply, where a call goes, and which key may go there."""
