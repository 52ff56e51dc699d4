"""Reading ahead changes nothing of what is read, and stays within its bounds."""

import threading
from collections.abc import Iterator

import pytest

from tintype.engine.vectors import ahead
from tintype.engine.work import Watch
from tintype.sources.base import Item


def item(number: int, size: int = 10) -> tuple[Item, bytes | None]:
    return Item(str(number), b"x" * size, size, 0, 0, 0), None


class Notes(Watch):
    def __init__(self) -> None:
        self.seen: list[int] = []

    def ahead(self, index: int) -> None:
        self.seen.append(index)


def test_items_come_in_order_and_each_is_noted() -> None:
    watch = Notes()
    found = list(ahead.read_ahead(iter([item(number) for number in range(100)]), watch))
    assert [one.uri for one, _ in found] == [str(number) for number in range(100)]
    assert [index for index in watch.seen if index >= 0][:100] == list(range(100))
    assert watch.seen[-1] == -1


@pytest.mark.parametrize(("size", "most"), [(10, ahead.MOST_ITEMS), (30_000_000, 4)])
def test_no_more_is_read_than_there_is_room_for(size: int, most: int) -> None:
    read, ready = 0, threading.Event()

    def endless() -> Iterator[tuple[Item, bytes | None]]:
        nonlocal read
        while True:
            read += 1
            if read == most:
                ready.set()
            yield item(read, size)

    found = ahead.read_ahead(endless(), Watch())
    next(found)
    ready.wait(10)
    threading.Event().wait(0.1)
    assert read <= most + 1
    found.close()  # type: ignore[attr-defined]  # a generator is returned
    before = read
    threading.Event().wait(0.05)
    assert read == before


def test_an_error_comes_after_what_was_read_before_it() -> None:
    def failing() -> Iterator[tuple[Item, bytes | None]]:
        yield item(0)
        raise OSError("the disk is gone")

    found = ahead.read_ahead(failing(), Watch())
    assert next(found)[0].uri == "0"
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)
