"""Labelled replies, and how well the claim ledger tells which of them may go out. The format: README.md beside this."""
