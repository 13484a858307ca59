"""The graph's nodes, one file each. A node reads the state and the turn's context and returns what it adds."""
