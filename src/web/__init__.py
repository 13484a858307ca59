"""FastAPI: API, webhooks, inbox pages, realtime, templates and static files."""
