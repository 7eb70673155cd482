"""The decoder of server-sent events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.api import sse
from glmcli.api.sse import ServerEvent, SseDecoder
from glmcli.errors import NetworkError


def decode(*chunks: bytes) -> list[ServerEvent]:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def data_of(*chunks: bytes) -> list[str]:
    return [event.data for event in decode(*chunks)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", ["a", "b"], id="lf"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"], id="crlf"),
        pytest.param(b"data: a\r\rdata: b\r\r", ["a", "b"], id="cr"),
        pytest.param(b"data: a\r\n\ndata: b\n\r", ["a", "b"], id="mixed"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", ["a"], id="byte order mark"),
        pytest.param(b": ping\n\ndata: a\n: x\n\n", ["a"], id="comments"),
        pytest.param(b"data: a\ndata: b\n\n", ["a\nb"], id="several data lines"),
        pytest.param(b"data:a\n\n", ["a"], id="no space"),
        pytest.param(b"data:  a\n\n", [" a"], id="only one space is dropped"),
        pytest.param(b"data\n\n", [""], id="field without colon"),
        pytest.param(b"data:\n\n", [""], id="empty data"),
        pytest.param(b"\n\n\n", [], id="blank lines only"),
        pytest.param(b"id: 7\nretry: 10\nfoo: bar\ndata: a\n\n", ["a"], id="other fields"),
        pytest.param(
            'data: {"t":"a\u2028b\u2029c\u0085d"}\n\n'.encode(),
            ['{"t":"a\u2028b\u2029c\u0085d"}'],
            id="unicode line separators",
        ),
        pytest.param(b"data: [DONE]", ["[DONE]"], id="no blank line at the end"),
        pytest.param(b"data: a\n", ["a"], id="one line end at the end"),
        pytest.param("data: 你好 🦊\n\n".encode(), ["你好 🦊"], id="wide characters"),
        pytest.param(b"data: \xff\n\n", ["\ufffd"], id="invalid utf-8"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_a_body_decodes_to_its_events_however_it_is_cut(body: bytes, expected: list[str]) -> None:
    """Whole, byte by byte, and at every single cut the same events come out."""
    assert expected == data_of(body)
    assert expected == data_of(*(body[i : i + 1] for i in range(len(body))))
    for cut in range(len(body) + 1):
        assert expected == data_of(body[:cut], body[cut:])


def test_an_event_name_belongs_to_its_event_only() -> None:
    """`event:` names the next event and no later one."""
    assert [ServerEvent("error", "a"), ServerEvent("", "b")] == decode(b"event: error\ndata: a\n\ndata: b\n\n")


def test_a_name_without_colon_is_the_empty_name() -> None:
    """As any field without a colon; the last name wins."""
    assert [ServerEvent("", "a")] == decode(b"event: error\nevent\ndata: a\n\n")


def test_a_name_without_data_is_no_event() -> None:
    """The standard drops events that have no data."""
    assert [ServerEvent("", "b")] == decode(b"event: ping\n\ndata: b\n\n")


_LINES = st.lists(
    st.sampled_from(
        [b'data: {"a": 1}', "data: 水\u2028🦊".encode(), b"data", b": c", b"event: error", b"", b"", b"id: 1", b"data:"]
    ),
    max_size=20,
)


@given(
    lines=_LINES,
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=20, max_size=20),
    cuts=st.sets(st.integers(0, 400)),
)
def test_any_rechunking_decodes_the_same(lines: list[bytes], ends: list[bytes], cuts: set[int]) -> None:
    """Where the network cuts the bytes makes no difference."""
    body = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    assert decode(body) == decode(*pieces)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_arbitrary_bytes_are_borne(chunks: list[bytes]) -> None:
    """No sequence of bytes makes the decoder fail, and cutting differently changes nothing."""
    assert decode(*chunks) == decode(b"".join(chunks))


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end stops at the limit instead of filling the memory."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(NetworkError, match="single event"):
        decode(*[b"data: " + b"x" * 100] * 100)


def test_endless_data_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that never ends stops at the limit too."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(NetworkError, match="single event"):
        decode(*[b"data: " + b"x" * 100 + b"\n"] * 100)
