"""A WhatsApp multi-device server on the loopback interface, for tests with real neonize clients.

It pairs, logs in and relays; it holds no Signal keys, so every message stays end-to-end encrypted between the real
clients that the tests start as child processes. ``harness`` is the entrance; ``server`` the server; ``customer`` a
client that plays the customer. What it does not play: media upload and download, groups, history sync, app state.
"""
