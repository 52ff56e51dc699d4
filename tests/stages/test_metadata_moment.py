"""Texts that name a time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.stages.metadata.moment import (
    MAX_OFFSET_MIN,
    Moment,
    microseconds,
    read_gps_moment,
    read_iptc_moment,
    read_moment,
    read_offset,
)

moments = st.datetimes(min_value=datetime(1826, 1, 1))
offsets = st.integers(-MAX_OFFSET_MIN, MAX_OFFSET_MIN)


def written(offset: int) -> str:
    return f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"


@given(moments, offsets)
def test_any_moment_comes_back_from_its_text(moment, offset):
    zone = written(offset)
    second = moment.replace(microsecond=0)
    assert read_moment(f"{moment:%Y-%m-%d}T{moment:%H:%M:%S.%f}{zone}") == Moment(moment, offset)
    assert read_moment(f"{moment:%Y:%m:%d %H:%M:%S}") == Moment(second)
    assert read_iptc_moment(f"{moment:%Y%m%d}", f"{moment:%H%M%S}{zone}") == Moment(second, offset)


@given(offsets)
def test_any_offset_comes_back_from_its_text(offset):
    assert read_offset(written(offset)) == offset
    assert read_offset(written(offset).replace(":", "")) == offset


@pytest.mark.parametrize("text", ["", "   :  ", "02:00", "+2:00", "+02:60", "+15:01", "-99:99", "+٠٢:٠٠", "utc"])
def test_other_texts_are_no_offset(text):
    assert read_offset(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2004-07-09T11:22:33", Moment(datetime(2004, 7, 9, 11, 22, 33))),
        ("2004/07/09 11:22:33", Moment(datetime(2004, 7, 9, 11, 22, 33))),
        ("2004:07:09 11:22", Moment(datetime(2004, 7, 9, 11, 22))),
        ("2004:07:09", Moment(datetime(2004, 7, 9))),
        ("2004-07-09T11:22:33.5Z", Moment(datetime(2004, 7, 9, 11, 22, 33, 500_000), 0)),
        (" 2004:07:09 11:22:33 \0", Moment(datetime(2004, 7, 9, 11, 22, 33))),
        ("2004:07:09 11:22:33.123456789", Moment(datetime(2004, 7, 9, 11, 22, 33, 123_456))),
        ("2004-07-09T11:22:33+99:00", Moment(datetime(2004, 7, 9, 11, 22, 33))),
    ],
)
def test_the_usual_ways_to_write_a_moment_are_known(text, moment):
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "----:--:-- --:--:--",
        "2004:02:30 00:00:00",
        "2004:13:01 00:00:00",
        "2004:01:01 24:00:00",
        "2004:01:01 23:60:00",
        "0001:01:01 00:00:00",
        "1825:12:31 23:59:59",
        "2004",
        "2004-07",
        "../../../etc/passwd",
        "2004:07:09 11:22:33; rm -rf",
        "٢٠٠٤:٠٧:٠٩ ١١:٢٢:٣٣",
        "9" * 5_000,
    ],
)
def test_what_cannot_be_is_no_moment(text):
    assert read_moment(text) is None


@pytest.mark.parametrize(
    ("digits", "value"), [("5", 500_000), ("007", 7_000), ("123456789", 123_456), ("0", 0), (" 68 \0", 680_000)]
)
def test_sub_seconds_are_the_digits_behind_the_point(digits, value):
    assert microseconds(digits) == value


@pytest.mark.parametrize("digits", ["", "   ", "-5", "a", "٥", "1.5", "²"])
def test_other_texts_are_no_sub_seconds(digits):
    assert microseconds(digits) is None


@pytest.mark.parametrize(("time", "hour"), [("", 0), ("garbage", 0), ("256161", 0), ("120000", 12)])
def test_an_iptc_day_without_a_sound_time_is_its_midnight(time, hour):
    assert read_iptc_moment("20020119", time) == Moment(datetime(2002, 1, 19, hour))


@pytest.mark.parametrize("date", ["", "00000000", "20021301", "2002", "200201190"])
def test_an_iptc_day_that_cannot_be_is_no_moment(date):
    assert read_iptc_moment(date, "120000") is None


def test_gps_times_are_utc():
    found = read_gps_moment("2008:10:23", (14.0, 57.0, 41.37))
    assert found == datetime(2008, 10, 23, 14, 57, 41, 370_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "clock", [(24.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, float("nan"), 0.0), (0.0, 0.0, float("inf"))]
)
def test_a_gps_time_that_cannot_be_is_none(clock):
    assert read_gps_moment("2008:10:23", clock) is None
    assert read_gps_moment("0000:00:00", (1.0, 2.0, 3.0)) is None


def test_the_last_moment_of_the_calendar_does_not_overflow():
    assert read_gps_moment("9999:12:31", (23.0, 59.0, 59.9999)) is None


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_read_without_an_error(text, other):
    read_moment(text)
    read_offset(text)
    microseconds(text)
    read_iptc_moment(text, other)
    read_gps_moment(text, (1.0, 2.0, 3.0))
