"""Where files of films begin and end, told from their nested parts alone."""

import io

import pytest

from speech.audio.input.formats.link import FEW, Link
from speech.audio.input.formats.video import EBML, avi_link, flv_link, matroska_link, mp4_links
from speech.errors import AudioError


def box(kind: bytes, body: bytes = b"", count: int | None = None) -> bytes:
    return (8 + len(body) if count is None else count).to_bytes(4) + kind + body


MP4 = box(b"ftyp", b"isom") + box(b"moov", bytes(20)) + box(b"mdat", bytes(40))
SEGMENT, CLUSTER, BLOCK = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xa3"
UNKNOWN = b"\x01" + b"\xff" * 7
MATROSKA = EBML + b"\x80" + SEGMENT + UNKNOWN + CLUSTER + UNKNOWN + BLOCK + b"\x84abcd"
TAG = b"\x08\0\0\x05" + bytes(7) + bytes(5) + (16).to_bytes(4)
FLV = b"FLV\x01\x04\0\0\0\x09" + bytes(4) + TAG
AVI = b"RIFF" + (12).to_bytes(4, "little") + b"AVI " + bytes(8)


def test_joined_mp4_files_are_links_from_one_ftyp_to_the_next():
    file = io.BytesIO(b"junk" + 2 * MP4)
    end = 4 + 2 * len(MP4)
    middle = 4 + len(MP4)
    assert mp4_links(file, 4, end, "a.mp4") == [Link("mp4", 4, middle), Link("mp4", middle, end)]


def test_a_last_box_without_a_size_and_one_of_many_bytes_are_read():
    long = MP4 + (1).to_bytes(4) + b"free" + (20).to_bytes(8) + bytes(4) + box(b"mdat", bytes(9), count=0)
    assert mp4_links(io.BytesIO(long), 0, len(long), "a.mp4") == [Link("mp4", 0, len(long))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MP4[:-3], "a.mp4: is cut off: 3 bytes are missing of the 48 of its box 'mdat'"),
        (MP4 + b"\0\0\x01", "it ends within the head of a box, 3 bytes of it are there"),
        (MP4 + b"\1" * (FEW + 1), f"what stands at byte {len(MP4)} is no MP4 box"),
    ],
)
def test_mp4_that_is_cut_off_or_damaged_is_refused(content, said):
    with pytest.raises(AudioError, match=said):
        mp4_links(io.BytesIO(content), 0, len(content), "a.mp4")


def test_a_matroska_file_ends_where_another_begins():
    size = len(MATROSKA)
    assert matroska_link(io.BytesIO(MATROSKA), 0, size, "a.mkv") == Link("matroska", 0, size)
    assert matroska_link(io.BytesIO(2 * MATROSKA), 0, 2 * size, "a.mkv") == Link("matroska", 0, size)
    assert matroska_link(io.BytesIO(2 * MATROSKA), size, 2 * size, "a.mkv") == Link("matroska", size, 2 * size)


@pytest.mark.parametrize(("gone", "said"), [(2, "2 bytes are missing of its last element"), (5, "within an element")])
def test_matroska_that_is_cut_off_is_refused(gone, said):
    content = MATROSKA[:-gone]
    with pytest.raises(AudioError, match=said):
        matroska_link(io.BytesIO(content), 0, len(content), "a.mkv")


def test_flv_is_walked_tag_by_tag():
    size = len(FLV)
    assert flv_link(io.BytesIO(FLV), 0, size, "a.flv") == Link("flv", 0, size)
    assert flv_link(io.BytesIO(2 * FLV), 0, 2 * size, "a.flv") == Link("flv", 0, size)
    assert flv_link(io.BytesIO(FLV[:-4]), 0, size - 4, "a.flv") == Link("flv", 0, size - 4)  # the last size may lack
    with pytest.raises(AudioError, match="ends within an FLV tag"):
        flv_link(io.BytesIO(FLV[:-5]), 0, size - 5, "a.flv")
    damaged = FLV + b"\x01" * (FEW + 1)
    with pytest.raises(AudioError, match=f"what stands at byte {size} is no FLV tag"):
        flv_link(io.BytesIO(damaged), 0, len(damaged), "a.flv")


def test_an_avi_goes_on_in_parts_of_its_own_kind():
    more = AVI.replace(b"AVI ", b"AVIX")
    size = len(AVI)
    for content, end in ((AVI, size), (AVI + more, 2 * size), (AVI + AVI, size), (AVI + b"rest", size + 4)):
        assert avi_link(io.BytesIO(content), 0, len(content), "a.avi") == Link("avi", 0, end)
    with pytest.raises(AudioError, match="4 bytes are missing"):
        avi_link(io.BytesIO(AVI[:-4]), 0, size - 4, "a.avi")
