"""Precision and recall of the search for personal data, on labelled texts. See README.md."""
