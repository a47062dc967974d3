"""Buffers: where they lie, and that they are used again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from surefoot.weights.scratch import Scratch, room_for


@given(st.integers(1, 10_000), st.integers(0, 1 << 20))
def test_a_buffer_lies_in_its_page_where_the_file_does(size, offset):
    assert room_for(size).ctypes.data % 4096 == 0
    room = Scratch()("x", size, offset)
    assert len(room) == size
    assert 0 <= (offset - room.ctypes.data) % 4096 < 64, "never shortly after the source"
    assert room.ctypes.data % 64 == 0


@given(st.lists(st.tuples(st.integers(1, 9000), st.integers(0, 5000)), max_size=9))
def test_memory_is_used_again_unless_it_is_too_small(asked):
    scratch = Scratch()
    largest = max((size for size, _ in asked), default=0)
    first = scratch("x", largest)
    for size, offset in asked:
        assert abs(scratch("x", size, offset).ctypes.data - first.ctypes.data) < 4096


def test_every_thread_has_its_own():
    scratch = Scratch()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: scratch("x", 100)).result()
    own = scratch("x", 100)
    own[:], other[:] = 1, 2
    assert own.sum() == 100
    assert scratch("y", 100).ctypes.data != own.ctypes.data
