"""What a folder lists, what it passes over and counts, and that nothing leads out of it."""

import os
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_makers import picture, tree

from tintype.core.errors import ImageError, SourceError
from tintype.core.names import path_from_uri
from tintype.sources import beneath
from tintype.sources.base import Notes
from tintype.sources.folder import ENTRIES_PER_SHARD, FolderSource
from tintype.testing.sources import entries_of, items_of


def uris(source):
    return entries_of(source)["uri"].to_pylist()


def test_lists_images_by_name_whatever_the_case(tmp_path):
    tree(tmp_path, "a.JPG", "b.jpeg", "c.Png", "d/e.heic")
    assert uris(FolderSource(tmp_path)) == ["a.JPG", "b.jpeg", "c.Png", "d/e.heic"]


def test_first_bytes_say_image_where_the_name_does_not(tmp_path):
    tree(tmp_path, "scan", "download.txt", "photo.bak")
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "empty").touch()
    source = FolderSource(tmp_path)
    assert uris(source) == ["download.txt", "photo.bak", "scan"]
    assert source.notes.skipped == {"other": 2}


def test_an_image_by_name_is_listed_whatever_it_holds(tmp_path):
    (tmp_path / "broken.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    assert uris(FolderSource(tmp_path)) == ["broken.jpg", "empty.png"]
    assert [item.data for item in items_of(FolderSource(tmp_path))] == [b"no image", b""]


def test_hidden_files_and_folders_are_counted_and_left_out_by_default(tmp_path):
    tree(tmp_path, "a.jpg", ".b.jpg", ".git/c.jpg", ".git/d.jpg")
    source = FolderSource(tmp_path)
    assert uris(source) == ["a.jpg"]
    assert source.notes.skipped == {"hidden": 2}
    assert uris(FolderSource(tmp_path, hidden=True)) == [".b.jpg", ".git/c.jpg", ".git/d.jpg", "a.jpg"]


def test_folders_of_our_own_are_never_listed(tmp_path):
    tree(tmp_path, "a.jpg", ".tintype/b.jpg", "x.tar.tintype/c.jpg", ".tintype-trash/1/d.jpg", "sub/.tintype/e.jpg")
    source = FolderSource(tmp_path, hidden=True)
    assert uris(source) == ["a.jpg"]
    assert not source.notes.skipped


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (("*.png",), ["a.jpg", "out/b.jpg", "sub/out/c.jpg"]),
        (("out/",), ["a.jpg", "d.png"]),
        (("/out/",), ["a.jpg", "d.png", "sub/out/c.jpg"]),
        (("sub/**/c.jpg",), ["a.jpg", "d.png", "out/b.jpg"]),
        (("*.jpg", "!a.jpg"), ["a.jpg", "d.png"]),
    ],
)
def test_ignores_what_gitignore_would(tmp_path, patterns, left):
    tree(tmp_path, "a.jpg", "out/b.jpg", "sub/out/c.jpg", "d.png")
    source = FolderSource(tmp_path, ignore=patterns)
    assert uris(source) == left
    assert source.notes.skipped["ignored"]


def test_links_are_counted_and_never_followed(tmp_path):
    outside = tree(tmp_path / "outside", "secret.jpg")
    root = tree(tmp_path / "root", "a.jpg", "sub/b.jpg")
    (root / "to-file").symlink_to(root / "a.jpg")
    (root / "to-file.jpg").symlink_to(root / "a.jpg")
    (root / "out.jpg").symlink_to(outside / "secret.jpg")
    (root / "out").symlink_to(outside)
    (root / "sub" / "up").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    (root / "nowhere.jpg").symlink_to(root / "missing.jpg")
    source = FolderSource(root)
    assert uris(source) == ["a.jpg", "sub/b.jpg"]
    assert source.notes.skipped == {"link": 7}
    assert not source.notes.problems


def test_the_root_itself_may_be_a_link(tmp_path):
    tree(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert uris(FolderSource(tmp_path / "link")) == ["a.jpg"]


def test_fifos_and_sockets_are_passed_over_without_waiting(tmp_path):
    tree(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    os.mkfifo(tmp_path / "fifo")
    os.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        source = FolderSource(tmp_path)
        assert uris(source) == ["a.jpg"]
        assert source.notes.skipped == {"special": 3}


ODD_NAMES = [
    b"new\nline.jpg",
    b"\x1b[31mred\x1b[0m.jpg",
    b"<script>alert(1)<\\script>.jpg",
    b"-rf.jpg",
    b"--help.jpg",
    b" blank .jpg",
    b"caf\xe9.jpg",
    b"\xff\xfe\x80.jpg",
    "caf\u00e9.jpg".encode(),
    "cafe\u0301.jpg".encode(),
    "\U0001f600.jpg".encode(),
    "\u202egpj.jpg".encode(),
    b"100%.jpg",
    b"%41.jpg",
    b"a#b.jpg",
    b"back\\slash.jpg",
    b"'\"$(touch x)`.jpg",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_kept(tmp_path, name):
    """In files and in folders, with the uri leading back to the very bytes."""
    tree(tmp_path, name, b"folder " + name + b"/" + name)
    source = FolderSource(tmp_path)
    assert sorted(path_from_uri(uri) for uri in uris(source)) == sorted([name, b"folder " + name + b"/" + name])
    assert "#" not in "".join(uris(source))
    assert sorted(item.data for item in items_of(source)) == sorted([picture(0), picture(1)])
    for item in items_of(source):
        assert source.open(item.uri).read() == item.data


names = st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b".."))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(names, names), min_size=1, max_size=8, unique_by=lambda pair: pair[0]))
def test_every_name_that_a_disk_takes_comes_back_from_its_uri(tmp_path_factory, pairs):
    root = tmp_path_factory.mktemp("names")
    paths = [folder + b"/" + name + b".jpg" for folder, name in pairs]
    paths = [path for path in paths if not path.partition(b"/")[0].endswith(b".tintype")]
    tree(root, *paths)
    source = FolderSource(root, hidden=True)
    listed = uris(source)
    assert sorted(map(path_from_uri, listed)) == sorted(paths)
    assert [uri.encode() for uri in listed] == sorted(uri.encode() for uri in listed)
    assert len(items_of(source)) == len(paths)


def test_a_deep_tree_is_listed_to_its_end(tmp_path):
    """1,200 folders: longer than any path that the system takes at once."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("deep", dir_fd=handle)
        inner = os.open("deep", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    with open(os.open("a.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=handle), "wb") as file:
        file.write(picture())
    os.close(handle)
    source = FolderSource(tmp_path)
    assert uris(source) == ["deep/" * 1_200 + "a.jpg"]
    assert [item.data for item in items_of(source)] == [picture()]
    subprocess.run(["rm", "-rf", str(tmp_path / "deep")], check=True)


def test_large_folders_come_in_several_shards(tmp_path):
    for number in range(ENTRIES_PER_SHARD + 10):
        (tmp_path / f"{number}.jpg").touch()
    (tmp_path / "5").mkdir()
    tree(tmp_path / "5", "in the middle.jpg")
    source = FolderSource(tmp_path)
    sizes = [shard.entries.num_rows for shard in source.shards()]
    assert sum(sizes) == ENTRIES_PER_SHARD + 11
    assert max(sizes) <= ENTRIES_PER_SHARD
    assert uris(source) == sorted(uris(source))


def test_the_stamp_is_what_the_system_says(tmp_path):
    tree(tmp_path, "a.jpg")
    facts = os.stat(tmp_path / "a.jpg")
    (row,) = entries_of(FolderSource(tmp_path)).to_pylist()
    assert row == {
        "uri": "a.jpg",
        "size_bytes": facts.st_size,
        "mtime_ns": facts.st_mtime_ns,
        "inode": facts.st_ino,
        "device": facts.st_dev,
        "offset": None,
    }


def test_a_missing_root_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"^[^\n]*no such file$"):
        list(FolderSource(tmp_path / "missing").shards())


def test_a_file_is_no_root(tmp_path):
    tree(tmp_path, "a.jpg")
    with pytest.raises(SourceError):
        list(FolderSource(tmp_path / "a.jpg").shards())


def as_nobody(folder: Path, code: str) -> str:
    """What the code prints as a user without rights: root could read everything."""
    program = "import os, sys\nfrom pathlib import Path\nfrom tintype.sources.folder import FolderSource\n"
    program += "if os.getuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    program += textwrap.dedent(code)
    result = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def open_folder(tmp_path):
    """A folder that any user may come to."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == tmp_path.owner() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    return tmp_path


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_below_a_folder_that_cannot_be_listed_nothing_counts_as_gone(open_folder, mode):
    """Not listed at all, listed without the right to ask about files, and asked about without a list."""
    root = tree(open_folder / "root", "a.jpg", "locked/b.jpg", "locked/deep/c.jpg", "z.jpg")
    (root / "locked").chmod(mode)
    try:
        output = as_nobody(
            root,
            """
            source = FolderSource(Path(sys.argv[1]))
            print([uri for shard in source.shards() for uri in shard.entries["uri"].to_pylist()])
            print(source.notes.incomplete, source.notes.problems)
            """,
        )
    finally:
        (root / "locked").chmod(0o755)
    assert output.splitlines()[0] == "['a.jpg', 'z.jpg']"
    assert "'locked/'" in output
    assert "permission denied" in output


def test_a_file_without_the_right_to_read_is_unreadable(open_folder):
    root = tree(open_folder / "root", "a.jpg", "b.jpg")
    (root / "a.jpg").chmod(0)
    output = as_nobody(
        root,
        """
        source = FolderSource(Path(sys.argv[1]))
        for shard in source.shards():
            print([(item.uri, item.status, item.reason) for item in source.read(shard, 1000)])
        """,
    )
    assert output.strip() == "[('a.jpg', 'unreadable', 'permission denied'), ('b.jpg', 'ok', None)]"


def test_a_disk_error_while_listing_is_noted(tmp_path, monkeypatch):
    tree(tmp_path, "a.jpg", "bad/b.jpg", "bad/c.jpg")
    scandir = os.scandir

    def failing(handle):
        if os.path.realpath(f"/proc/self/fd/{handle}").endswith("bad"):
            raise OSError(5, "Input/output error")
        return scandir(handle)

    monkeypatch.setattr(os, "scandir", failing)
    source = FolderSource(tmp_path)
    assert uris(source) == ["a.jpg"]
    assert source.notes == Notes(
        problems=[("bad/", "the folder cannot be listed: the disk reports a read error")], incomplete=["bad/"]
    )


def test_a_root_that_cannot_be_listed_is_one_line(open_folder):
    root = tree(open_folder / "root", "a.jpg")
    root.chmod(0)
    output = as_nobody(
        root,
        """
        try:
            list(FolderSource(Path(sys.argv[1])).shards())
        except Exception as error:
            print(type(error).__name__, error)
        """,
    )
    root.chmod(0o755)
    assert output == f"SourceError {root}: cannot be read as a folder: permission denied\n"


def listed(root):
    source = FolderSource(root)
    return source, list(source.shards())


def read(source, shards):
    return {item.uri: item for shard in shards for item in source.read(shard, 1000)}


def test_a_file_that_vanishes_after_the_listing_is_unreadable(tmp_path):
    source, shards = listed(tree(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg"))
    (tmp_path / "a.jpg").unlink()
    os.rename(tmp_path / "sub", tmp_path / "moved")
    items = read(source, shards)
    assert (items["a.jpg"].status, items["a.jpg"].reason) == ("unreadable", "no such file")
    assert (items["sub/c.jpg"].status, items["sub/c.jpg"].reason) == ("unreadable", "no such file")
    assert items["b.jpg"].data == picture(1)


def test_a_file_that_vanishes_while_its_folder_is_listed_is_left_out(tmp_path, monkeypatch):
    tree(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    ask = os.stat
    monkeypatch.setattr(
        os,
        "stat",
        lambda name, **how: (name == "a.jpg" and (tmp_path / "b.jpg").unlink(missing_ok=True)) or ask(name, **how),
    )
    source = FolderSource(tmp_path)
    assert uris(source) == ["a.jpg", "c.jpg"]
    assert source.notes == Notes()


@pytest.mark.parametrize("swap", ["file", "folder"])
def test_what_was_swapped_for_a_link_is_not_followed(tmp_path, swap):
    outside = tree(tmp_path / "outside", "c.jpg")
    root = tree(tmp_path / "root", "sub/c.jpg")
    source, shards = listed(root)
    if swap == "file":
        (root / "sub/c.jpg").unlink()
        (root / "sub/c.jpg").symlink_to(outside / "c.jpg")
    else:
        os.rename(root / "sub", tmp_path / "away")
        (root / "sub").symlink_to(outside)
    item = read(source, shards)["sub/c.jpg"]
    assert (item.status, item.data) == ("unreadable", None)
    assert "link" in item.reason
    with pytest.raises(ImageError, match="link"):
        source.open("sub/c.jpg")


def test_what_was_swapped_for_a_fifo_does_not_block(tmp_path):
    source, shards = listed(tree(tmp_path, "a.jpg"))
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    item = read(source, shards)["a.jpg"]
    assert (item.status, item.reason) == ("unreadable", "not a regular file")


def test_a_file_that_grew_is_remembered_as_it_was_read(tmp_path):
    source, shards = listed(tree(tmp_path, "a.jpg"))
    (tmp_path / "a.jpg").write_bytes(picture(50))
    item = read(source, shards)["a.jpg"]
    assert item.data == picture(50)
    assert (item.size_bytes, item.mtime_ns) == (64, os.stat(tmp_path / "a.jpg").st_mtime_ns)


def test_a_disk_error_while_reading_costs_that_image(tmp_path, monkeypatch):
    source, shards = listed(tree(tmp_path, "a.jpg", "b.jpg"))
    real = beneath._read

    def failing(handle, size_bytes):
        if size_bytes == len(picture(0)):
            raise OSError(5, "Input/output error")
        return real(handle, size_bytes)

    monkeypatch.setattr(beneath, "_read", failing)
    items = read(source, shards)
    assert (items["a.jpg"].status, items["a.jpg"].reason) == ("unreadable", "the disk reports a read error")
    assert items["b.jpg"].status == "ok"


class Placeholder:
    """What macOS says of a file that is only in iCloud."""

    st_flags = 0x40000060


def test_a_file_that_is_only_in_the_cloud_is_not_downloaded(tmp_path, monkeypatch):
    source, shards = listed(tree(tmp_path, "a.jpg"))
    assert beneath.is_only_in_cloud(Placeholder())
    assert not beneath.is_only_in_cloud(os.stat(tmp_path / "a.jpg"))
    monkeypatch.setattr(beneath, "is_only_in_cloud", lambda facts: True)
    item = read(source, shards)["a.jpg"]
    assert (item.status, item.reason, item.data) == ("unreadable", "not on this disk", None)


@pytest.mark.parametrize(
    "uri", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "a//b.jpg", "./a.jpg", "a%00.jpg", "%2E%2E/x.jpg", ".."]
)
def test_no_uri_leads_out_of_the_root(tmp_path, uri):
    tree(tmp_path, "root/a/b.jpg", "x.jpg")
    with pytest.raises(ImageError) as caught:
        FolderSource(tmp_path / "root").open(uri)
    assert caught.value.status == "rejected"


def test_no_handles_are_left_open(tmp_path):
    source, shards = listed(tree(tmp_path, "a.jpg", "b/c/d.jpg", "e/f.jpg"))
    before = len(os.listdir("/proc/self/fd"))
    read(source, shards)
    uris(source)
    source.open("a.jpg").close()
    next(source.shards())
    assert len(os.listdir("/proc/self/fd")) == before
