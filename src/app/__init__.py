"""Composition root: settings, processes and the command line."""
