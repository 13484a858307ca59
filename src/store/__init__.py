"""PostgreSQL: tables, transactions, queries by noun, the embedded server, vector search and the job queue."""
