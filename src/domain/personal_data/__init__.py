"""Personal data in customers' words: finding them, hiding them for good, and hiding them for a while.

Rules and check digits, no model: the same text always gives the same finds, in well under a millisecond. Portuguese
first, Spanish and English too. How well it works is measured: ``python -m evals.personal_data``.
"""

from __future__ import annotations

from domain.personal_data.find import find
from domain.personal_data.found import Found, Kind
from domain.personal_data.masking import Placeholders, Spelling, redact, redact_json

__all__ = ["Found", "Kind", "Placeholders", "Spelling", "find", "redact", "redact_json"]
