"""The state's own WAL."""

from pathlib import Path

import pytest

from gateway.buffer import state as states
from gateway.buffer.records import Changes, SavedCursor
from gateway.buffer.state import State


def test_a_wal_that_was_moved_into_the_file_is_not_moved_again_by_each_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = []
    really = states.checkpoint
    monkeypatch.setattr(states, "checkpoint", lambda *a, **k: moves.append(a) or really(*a, **k))
    state = State(tmp_path / "state.sqlite")
    try:
        many = [SavedCursor(f"sink {number:05d}", 1, (), None, None) for number in range(10_000)]
        state.save(Changes(cursors=many))
        assert len(moves) == 1
        for head in range(2, 12):
            state.save(Changes(cursors=[SavedCursor("sink 00000", head, (), None, None)]))
        assert len(moves) == 1
    finally:
        state.close()
