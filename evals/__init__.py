"""Offline evaluation: the production agent on scripted conversations, without a database and without a channel.

Belongs to a checkout and is not part of the installed package.
"""
