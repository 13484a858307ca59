"""The threads in which the WhatsApp library runs: one for each connection, one for each call under way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class LibraryThreads(ThreadPoolExecutor):
    """Their end is not waited for: that of a pairing which nobody finished never comes."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """See Executor."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
