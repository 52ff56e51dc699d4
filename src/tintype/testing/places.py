"""The contract of a place: whole files under names, for several writers at once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tintype.store.places.base import Place, move

_LARGE = bytes(range(256)) * 40_000  # 10 MB, more than one part of an upload


class PlaceContract:
    """Subclass it with a fixture `place`: an empty place, for one test alone."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError("the subclass makes an empty place")

    def test_what_was_written_is_read(self, place: Place) -> None:
        for name, content in (("a", b""), ("deep/er/b.npy", b"\0\xff\n"), ("large.bin", _LARGE)):
            place.write(name, content)
            assert place.read(name) == content

    def test_a_write_takes_the_place_of_what_was_there(self, place: Place) -> None:
        place.write("a.txt", b"a longer first content")
        place.write("a.txt", b"second")
        assert place.read("a.txt") == b"second"
        assert list(place.names()) == ["a.txt"]

    def test_what_is_not_there_cannot_be_read(self, place: Place) -> None:
        place.write("there/a", b"a")
        for name in ("a", "there", "there/b", "nowhere/at/all"):
            with pytest.raises(FileNotFoundError):
                place.read(name)

    def test_create_never_changes_a_file(self, place: Place) -> None:
        assert place.create("plan/a.json", b"first")
        assert not place.create("plan/a.json", b"second")
        assert place.read("plan/a.json") == b"first"

    def test_of_many_who_create_at_once_one_succeeds(self, place: Place) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda number: place.create("a", str(number).encode()), range(8)))
        assert sum(made) == 1
        assert place.read("a") == str(made.index(True)).encode()

    def test_readers_never_see_half_a_file(self, place: Place) -> None:
        contents = [bytes([number]) * 300_000 for number in range(4)]
        place.write("a", contents[0])
        with ThreadPoolExecutor(6) as pool:
            writers = [pool.submit(place.write, "a", content) for content in contents * 3]
            seen = [pool.submit(place.read, "a") for _ in range(20)]
            for writer in writers:
                writer.result()
            assert all(reader.result() in contents for reader in seen)

    def test_names_are_those_of_all_files_in_order(self, place: Place) -> None:
        assert list(place.names()) == []
        names = ["plan/00010.arrow", "plan.json", "a/b/c.npy", "plan/00002.arrow", "a-b", "a.b", "planned"]
        for name in names:
            place.write(name, b"x")
        assert list(place.names()) == sorted(names)
        assert list(place.names("plan/")) == ["plan/00002.arrow", "plan/00010.arrow"]
        assert list(place.names("plan")) == ["plan.json", "plan/00002.arrow", "plan/00010.arrow", "planned"]
        assert list(place.names("a/b")) == ["a/b/c.npy"]
        assert list(place.names("nothing/")) == []

    def test_more_names_than_a_listing_has_at_once(self, place: Place) -> None:
        names = [f"n/{number:05}" for number in range(1_100)]  # S3 lists 1,000 at a time
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: place.write(name, b""), names))
        assert list(place.names("n/")) == names

    def test_what_is_deleted_is_gone(self, place: Place) -> None:
        place.write("d/a", b"a")
        place.write("d/ab", b"b")
        place.delete("d/a")
        place.delete("d/a")
        place.delete("never/there")
        assert list(place.names()) == ["d/ab"]
        assert place.create("d/a", b"again")

    def test_a_file_can_be_given_another_name(self, place: Place) -> None:
        place.write("parts/a", b"a")
        place.write("b", b"old")
        move(place, "parts/a", "b")
        assert list(place.names()) == ["b"]
        assert place.read("b") == b"a"
        with pytest.raises(FileNotFoundError):
            move(place, "parts/a", "b")
        assert place.read("b") == b"a"

    @pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".a", "a/.b", "a b", "a\\b", "a\nb"])
    def test_a_name_that_could_lead_elsewhere_is_refused(self, place: Place, name: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: place.write(name, b"x"),
            lambda: place.create(name, b"x"),
            lambda: place.read(name),
            lambda: place.delete(name),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="no name"):
                call()

    def test_travels_to_a_worker(self, place: Place) -> None:
        place.write("a", b"a")
        other: Place = pickle.loads(pickle.dumps(place))  # noqa: S301  of our own making
        assert other.url == place.url
        assert other.read("a") == b"a"
