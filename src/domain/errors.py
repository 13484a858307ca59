"""The root of every error that Atende raises on purpose."""

from __future__ import annotations


class AtendeError(Exception):
    """An expected failure. The message says what happened, ``hint`` what to do next.

    Subclasses carry their data as attributes and compose the message from it, so that callers never parse text.
    """

    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint

    def sentence(self) -> str:
        """One line for a person: what happened, then what to do next, below a list if there is one."""
        what = str(self)
        if what.endswith("\n"):
            return f"{what}{self.hint}".strip()
        end = "" if what.endswith((".", "!", "?")) else "."
        return f"{what}{end} {self.hint}".strip()


class NotFoundError(AtendeError):
    """A thing of this tenant that does not exist, or belongs to another one: the two must look alike."""

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"There is no {kind} {key}.", hint="Check the id, or list what exists first.")
        self.kind = kind
        self.key = key


class ConflictError(AtendeError):
    """The thing changed since it was read, or its state does not allow the request."""


class ChangedMeanwhileError(ConflictError):
    """Somebody changed the thing since the caller read it; nothing was done, so that the other change stays."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"Somebody changed {what} meanwhile.", hint=hint or "Read it again, then decide whether you still want it."
        )
        self.what = what


_PLURALS = {
    "admin": "administrators",
    "manager": "managers",
    "operator": "operators",
    "prompt_engineer": "prompt engineers",
}


class NotAllowedError(AtendeError):
    """The person's role does not include this; ``who`` may do it."""

    def __init__(self, who: str) -> None:
        super().__init__(f"Only {who} may do this.", hint="Ask one of them.")
        self.who = who

    @classmethod
    def to(cls, roles: tuple[str, ...]) -> NotAllowedError:
        """Named after the roles that may: ``admin`` becomes administrators."""
        words = [_PLURALS.get(role, role) for role in roles]
        return cls(" and ".join(filter(None, (", ".join(words[:-1]), words[-1]))))


class InvalidInputError(AtendeError):
    """Input that can never be accepted as it is; ``field`` names the part at fault."""

    def __init__(self, field: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{field}: {problem}", hint=hint)
        self.field = field
        self.problem = problem


class OutdatedError(ConflictError):
    """Something newer happened since the person's screen was drawn; nothing was done."""

    def __init__(self, what: str, because: str) -> None:
        super().__init__(f"This {what} is no longer current: {because}.", hint="Look at the conversation again.")
        self.what = what


class NotAuthenticError(AtendeError):
    """A delivery from outside without a valid proof of its sender. Nothing was read from it."""


class TooLargeError(AtendeError):
    """More bytes than this door takes; ``limit`` is the most it does."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request is larger than {limit} bytes.", hint="Send less at once.")
        self.limit = limit
