"""Channels: the protocol that every provider of messages fulfils, and its providers."""
