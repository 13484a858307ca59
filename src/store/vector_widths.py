"""Widths of the vector columns, apart from the tables: who only asks the database loads no SQLModel for them."""

EMBEDDING_DIMENSIONS = 1024
"""Encoders with fewer dimensions are padded with zeros: cosine distance stays the same."""

PASSAGE_DIMENSIONS = 512
"""The same of passages, whose encoder is the fast one whatever reads the messages."""
