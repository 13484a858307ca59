"""Answers of a language model, recorded once and replayed: below the very client that production uses.

A recording is keyed by everything that the model sees: messages, tools, the model's name and every other setting in the
request's body; not by address, key or time-out. Personal data are replaced by numbered marks in request and answer
before the key is made, and put back when an answer is replayed, so that the file holds none and replaying still works.

One JSONL file per suite, ``<suite>/recordings/answers.jsonl``, sorted, so that two people's recordings merge. Pieces of
text that many requests share (rules, tools) stand there once: ``{"piece": id, "value": …}``; an answer is
``{"key": …, "sample": 1, "request": …, "response": …}``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from domain.errors import AtendeError
from evaluation.recorded_request import Nearest, nearest
from evaluation.scrubbing import Scrubber

FILE_NAME: Final = "answers.jsonl"
UNSORTED_NAME: Final = "answers.new.jsonl"
"""What was recorded since the file was written last: an answer that was paid for outlives a run that is killed."""
_PIECE: Final = "§"
"""Begins a reference to a piece within a stored request."""
_WORTH_SHARING: Final = 60
"""Characters from which on a text is kept as a piece."""


class RecordingsUnreadableError(AtendeError):
    """A line of the file is none that this version wrote."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(
            f"{path}:{line}: is no recording: {problem}.",
            hint="Restore the file, or delete it and record again: atende eval run --mode live --record",
        )
        self.path = path
        self.line = line


class RecordingMissingError(AtendeError):
    """Nothing was recorded for this request. ``nearest``: the recording most like it, None where there is none."""

    def __init__(self, key: str, sample: int, near: Nearest | None) -> None:
        told = near.told() if near else "nothing has been recorded for this suite"
        super().__init__(
            f"No answer is recorded for this request ({key}, sample {sample}): {told}.",
            hint="Record it: atende eval run --mode live --record",
        )
        self.key = key
        self.nearest = near


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer. ``request`` and ``response`` hold marks such as [CPF_1] in place of personal data."""

    key: str
    sample: int
    request: Mapping[str, Any]
    response: Mapping[str, Any]


@dataclass(slots=True)
class Recordings:
    """The answers of one suite."""

    path: Path | None = None
    """Where ``save`` writes; None: nowhere."""
    found: dict[tuple[str, int], Recording] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def of(cls, folder: Path) -> Recordings:
        """Those in a suite's ``recordings`` folder, which may be empty or missing. Raises RecordingsUnreadableError."""
        path = folder / FILE_NAME
        recordings = cls(path)
        for file in (path, folder / UNSORTED_NAME):
            if file.exists():
                for recording in _read(file):
                    recordings.found[recording.key, recording.sample] = recording
                    recordings.changed |= file != path
        return recordings

    def answer(self, body: Mapping[str, Any], sample: int = 1) -> dict[str, Any]:
        """The recorded response to a request's body, personal data put back. Raises RecordingMissingError."""
        scrubber = Scrubber()
        request = scrubber.hidden(body)
        key = key_of(request)
        recording = self.found.get((key, sample))
        if recording is None:
            raise RecordingMissingError(key, sample, self._nearest(request, key))
        revealed: dict[str, Any] = scrubber.revealed(recording.response)
        return revealed

    def keep(self, body: Mapping[str, Any], response: Mapping[str, Any], sample: int = 1) -> None:
        """Record a response (the endpoint's JSON), instead of an earlier one to the same request and sample."""
        scrubber = Scrubber()
        request = scrubber.hidden(body)
        key = key_of(request)
        said = scrubber.hidden_answer(_essential(response))
        recording = Recording(key, sample, request, said)
        if self.found.get((key, sample)) != recording:
            self.found[key, sample] = recording
            self.changed = True
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.with_name(UNSORTED_NAME).open("ab") as unsorted:
                    # On a line of its own, even where the last one was cut off.
                    unsorted.write(b"\n" + b"".join(_encoded(line) for line in _lines([recording])))

    def save(self) -> None:
        """Write the file anew if anything was recorded since it was read."""
        if self.path is None or not self.changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            # Another run may have recorded meanwhile.
            for other in _read(self.path):
                self.found.setdefault((other.key, other.sample), other)
        whole = self.path.with_name(self.path.name + ".part")
        whole.write_bytes(b"".join(_encoded(line) for line in _lines(self.found.values())))
        whole.replace(self.path)
        self.path.with_name(UNSORTED_NAME).unlink(missing_ok=True)
        self.changed = False

    def _nearest(self, request: Mapping[str, Any], key: str) -> Nearest | None:
        same = sorted(sample for other, sample in self.found if other == key)
        if same:
            return Nearest(key, "sample", f"only sample {', '.join(map(str, same))} of this very request is recorded")
        return nearest(request, ((one.key, one.request) for one in self.found.values()))


def key_of(request: Mapping[str, Any]) -> str:
    """What names a scrubbed request's body; 20 hex digits."""
    return hashlib.sha256(_canonical(request).encode(errors="surrogatepass")).hexdigest()[:20]


def _essential(response: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer the agent reads: no ids, dates and fingerprints that would differ at every recording."""
    choices = [
        {
            "message": {
                name: message[name]
                for name in ("content", "tool_calls")
                if (message := choice.get("message") or {}).get(name)
            },
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in response["choices"]
    ]
    kept = {name: response[name] for name in ("model", "usage") if response.get(name)}
    return {"choices": choices, **kept}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


# The file -------------------------------------------------------------------------------------------------------------
def _lines(recordings: Any) -> Iterator[str]:
    pieces: dict[str, Any] = {}
    answers = []
    for one in sorted(recordings, key=lambda one: (one.key, one.sample)):
        request = _shared(one.request, pieces)
        answers.append({"key": one.key, "sample": one.sample, "request": request, "response": one.response})
    for name in sorted(pieces):
        yield json.dumps({"piece": name, "value": pieces[name]}, ensure_ascii=False, sort_keys=True)
    for answer in answers:
        yield json.dumps(answer, ensure_ascii=False)


def _encoded(line: str) -> bytes:
    # A model cut off in the middle of an emoji leaves half a character, which is no reason to lose the others.
    return f"{line}\n".encode(errors="surrogatepass")


def _shared(value: Any, pieces: dict[str, Any], key: str = "") -> Any:
    """The value with long lines and whole tools replaced by references."""
    match value:
        case str() if len(value) >= _WORTH_SHARING and "\n" in value:
            return [_PIECE, *(_shared(line, pieces) for line in value.split("\n"))]
        case str() if len(value) >= _WORTH_SHARING or value.startswith(_PIECE):
            return _reference(value, pieces)
        case Mapping() if key == "tools":
            return _reference(value, pieces)
        case Mapping():
            return {name: _shared(item, pieces, name) for name, item in value.items()}
        case list():
            return [_shared(item, pieces, key) for item in value]
        case _:
            return value


def _reference(value: Any, pieces: dict[str, Any]) -> str:
    name = hashlib.sha256(_canonical(value).encode(errors="surrogatepass")).hexdigest()[:12]
    pieces[name] = value
    return f"{_PIECE}{name}"


def _whole(value: Any, pieces: Mapping[str, Any]) -> Any:
    match value:
        case str() if value.startswith(_PIECE):
            return pieces[value[1:]]
        case [str(first), *lines] if first == _PIECE:
            return "\n".join(_whole(line, pieces) for line in lines)
        case Mapping():
            return {name: _whole(item, pieces) for name, item in value.items()}
        case list():
            return [_whole(item, pieces) for item in value]
        case _:
            return value


def _read(path: Path) -> Iterator[Recording]:
    pieces: dict[str, Any] = {}
    answers: list[tuple[int, dict[str, Any]]] = []
    # By line feeds alone: texts may hold U+2028 and its like.
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            if "piece" in found:
                pieces[found["piece"]] = found["value"]
            else:
                answers.append((number, found))
        except (ValueError, TypeError, KeyError) as error:
            if path.name == UNSORTED_NAME:
                continue  # a line that the end of the process cut off is no line
            raise RecordingsUnreadableError(path, number, f"{type(error).__name__}: {error}") from error
    for number, found in answers:
        try:
            request = _whole(found["request"], pieces)
            recording = Recording(found["key"], int(found["sample"]), request, found["response"])
        except (ValueError, TypeError, KeyError) as error:
            raise RecordingsUnreadableError(path, number, f"{type(error).__name__}: {error}") from error
        if key_of(recording.request) != recording.key:
            raise RecordingsUnreadableError(path, number, "its request was changed by hand, so its key is another")
        yield recording
