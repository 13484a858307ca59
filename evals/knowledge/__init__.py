"""Does the search find what answers, and does the agent keep silent where nothing does? See README.md."""
