"""The LangGraph agent. It decides; it never sends and never saves."""
