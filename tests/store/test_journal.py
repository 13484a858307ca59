"""The journal of deliveries: on the disk before it says so, in order, and taken over from the dead."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from store.journal import Entry, Journal, JournalFullError

NUMBERS = [uuid.uuid4() for _ in range(5)]


def entry(number: UUID, body: bytes) -> Entry:
    return Entry(number, "waha", body, datetime.now(UTC))


def sizes(folder: Path) -> list[int]:
    """Of the journal's files."""
    return [path.stat().st_size for path in folder.iterdir()]


class Keeper:
    """Takes what is drained; fails when told to."""

    def __init__(self) -> None:
        self.kept: dict[UUID, list[bytes]] = defaultdict(list)
        self.fails_after = 10**9

    async def keep(self, found: Entry) -> None:
        await asyncio.sleep(0)
        if sum(map(len, self.kept.values())) >= self.fails_after:
            raise ConnectionError("away")
        self.kept[found.session_id].append(found.body)


@pytest.mark.parametrize("seed", range(3))
async def test_that_each_number_s_entries_come_out_once_and_in_order_whatever_fails_in_between(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    journal, keeper = Journal(tmp_path), Keeper()
    added: dict[UUID, list[bytes]] = defaultdict(list)
    for round_ in range(6):
        new = [(rng.choice(NUMBERS), rng.randbytes(rng.choice([0, 10, 100_000]))) for _ in range(rng.randrange(1, 60))]
        for number, body in new:
            added[number].append(body)
        await asyncio.gather(*(journal.add(entry(number, body)) for number, body in new))
        assert all(journal.waits_for(number) for number, _ in new)
        keeper.fails_after = rng.randrange(150) if round_ < 5 else 10**9
        if sum(map(len, keeper.kept.values())) + journal.waiting > keeper.fails_after:
            with pytest.raises(ConnectionError):
                await journal.drain(keeper.keep)
        else:
            await journal.drain(keeper.keep)
    assert keeper.kept == added
    assert journal.waiting == 0
    assert sizes(tmp_path) == [0]
    await journal.close()
    assert sizes(tmp_path) == []


async def test_that_a_dead_process_s_entries_are_taken_over_up_to_the_one_it_was_writing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "dead")
    for n in range(4):
        await journal.add(entry(NUMBERS[0], b"%d" % n))
    path = journal._own.path
    content = path.read_bytes()
    await journal.drain(Keeper().keep)
    await journal.close()
    size = len(content) // 4
    for cut in range(2 * size, len(content) + 1, 7):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "00-dead.journal").write_bytes(content[:cut])
        keeper, successor = Keeper(), Journal(folder)
        assert await successor.adopt() == cut // size
        assert successor.waits_for(NUMBERS[0])
        await successor.add(entry(NUMBERS[0], b"new"))
        await successor.drain(keeper.keep)
        assert keeper.kept[NUMBERS[0]] == [*(b"%d" % n for n in range(cut // size)), b"new"]
        await successor.close()
        assert sizes(folder) == []


async def test_that_the_journal_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    living, other = Journal(tmp_path), Journal(tmp_path)
    await living.add(entry(NUMBERS[0], b"mine"))
    assert await other.adopt() == 0
    await other.close()
    assert len(sizes(tmp_path)) == 1
    await living.close()


async def test_that_a_full_journal_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    journal, keeper = Journal(tmp_path, limit=1000), Keeper()
    await journal.add(entry(NUMBERS[0], b"x" * 900))
    with pytest.raises(JournalFullError):
        await journal.add(entry(NUMBERS[0], b"y" * 900))
    assert await journal.drain(keeper.keep) == 1
    await journal.add(entry(NUMBERS[0], b"y" * 900))
    await journal.drain(keeper.keep)
    assert keeper.kept[NUMBERS[0]] == [b"x" * 900, b"y" * 900]
    await journal.close()


async def test_that_what_cannot_be_written_is_refused_and_leaves_nothing_half(tmp_path: Path) -> None:
    journal, keeper = Journal(tmp_path), Keeper()
    await journal.add(entry(NUMBERS[0], b"first"))
    handle = journal._own.handle
    reading = os.open(journal._own.path, os.O_RDONLY)
    kept = os.dup(handle)
    os.dup2(reading, handle)  # the disk takes nothing more
    with pytest.raises(JournalFullError):
        await journal.add(entry(NUMBERS[0], b"second"))
    os.dup2(kept, handle)
    await journal.add(entry(NUMBERS[0], b"third"))
    await journal.drain(keeper.keep)
    assert keeper.kept[NUMBERS[0]] == [b"first", b"third"]
    await journal.close()
    os.close(reading)
    os.close(kept)
