"""Pure values and rules of attendance: ids, messages, conversations, decisions, errors. No I/O and no framework."""
