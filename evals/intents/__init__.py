"""The hard set of intents: see README.md."""
