"""τ²-bench retail without a model: every task's own actions, through the real graph, flows and database."""
