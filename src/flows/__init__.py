"""Use cases, one file per stage of a message's life. They own the transactions."""
