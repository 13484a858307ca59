"""Hostile text against the agent: a scripted model that was fooled, and what comes of it. See ``__main__``."""
