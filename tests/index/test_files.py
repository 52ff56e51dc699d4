"""A file of facts and arrays: what goes in comes out, and no cut or flipped byte goes unseen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tintype.core.errors import CollectionDamaged
from tintype.index import files

KINDS = st.sampled_from([np.float16, np.float32, np.int8, np.int64, np.uint8])
ARRAYS = KINDS.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)))


@given(content=st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4), fact=st.integers() | st.text())
def test_what_is_written_is_read(tmp_path_factory, content, fact):
    place = tmp_path_factory.mktemp("files") / "file"
    files.write(place, {"fact": fact}, content)
    facts, found = files.read(place)
    assert facts == {"fact": fact}
    assert list(found) == list(content)
    for name, array in content.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()
        assert found[name].shape == array.shape


@pytest.fixture
def written(tmp_path):
    files.write(tmp_path / "file", {"a": 1}, {"numbers": np.arange(100, dtype=np.float32)})
    return tmp_path / "file"


def test_every_cut_is_seen(written):
    content = written.read_bytes()
    for length in range(len(content)):
        written.write_bytes(content[:length])
        with pytest.raises(CollectionDamaged):
            files.read(written)


def test_every_flipped_byte_is_seen(written):
    content = written.read_bytes()
    for place in range(len(content)):
        written.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with pytest.raises(CollectionDamaged):
            files.read(written)


def test_a_whole_file_of_another_shape_is_said_too(tmp_path):
    """Its hash is right; what it says of its arrays is not."""
    from blake3 import blake3

    for head in (
        b"[]",
        b'{"facts": {}, "arrays": [["a", "<f4", [99]]]}',
        b'{"facts": {}, "arrays": [["a", "O", [1]]]}',
    ):
        body = files.MAGIC + len(head).to_bytes(8, "little") + head + b"x" * 8
        (tmp_path / "file").write_bytes(body + blake3(body).digest(16))
        with pytest.raises(CollectionDamaged, match="not what this version writes"):
            files.read(tmp_path / "file")


def test_what_cannot_be_put_in_place_leaves_the_old_file(written, monkeypatch):
    before = written.read_bytes()

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(Exception, match="no space left"):
        files.write(written, {}, {"numbers": np.zeros(5)})
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["file"]
