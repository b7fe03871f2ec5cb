"""What a service can be asked beside chat: its models, whether a call could succeed, a pull."""
