"""What worker processes and their owner say to each other survives the way, and nothing else is believed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.workers import frames
from llama_mapper.adapters.orchestration.workers.frames import BrokenStream, FrameReader, Kind
from llama_mapper.domain.orchestration.ports import Inspection, RawFinding

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(st.lists(st.integers(0, 65535), max_size=40), any_text)
def test_a_job_arrives_as_it_was_sent(indexes: list[int], text: str) -> None:
    [(kind, frame_id, count, body)] = FrameReader().feed(frames.encode_job(7, indexes, text))
    assert (kind, frame_id) == (Kind.JOB, 7)
    assert frames.decode_job(count, body) == (tuple(indexes), text)


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.integers(0, 65535), st.binary())), st.data()
)
def test_frames_do_not_depend_on_how_the_stream_is_cut(
    sent: list[tuple[Kind, int, int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(frames.encode(*frame) for frame in sent)
    reader = FrameReader()
    arrived: list[frames.Frame] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        arrived += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert arrived == sent


spans = st.one_of(st.just((None, None)), st.tuples(st.integers(0, 50), st.integers(50, 100)))
findings = st.builds(
    lambda label, score, span: RawFinding(label, score, *span),
    st.text(min_size=1, max_size=20),
    st.floats(0, 1),
    spans,
)


@given(st.builds(Inspection, st.lists(findings).map(tuple), st.sampled_from([None, "en", "de"])))
def test_an_answer_arrives_as_it_was_given(inspection: Inspection) -> None:
    assert frames.decode_inspection(frames.encode_inspection(inspection, 100)) == inspection


@pytest.mark.parametrize(
    "finding",
    [
        RawFinding("", 0.5),
        RawFinding("X", 1.01),
        RawFinding("X", -0.01),
        RawFinding("X", math.nan),
        RawFinding("X", 0.5, 0, 11),
        RawFinding("X", 0.5, 5, 4),
        RawFinding("X", 0.5, -1, 4),
        RawFinding("X", 0.5, 3, None),
        RawFinding("\ud800", 0.5),
    ],
)
def test_an_answer_outside_the_contract_is_refused(finding: RawFinding) -> None:
    with pytest.raises((ValueError, TypeError)):
        frames.encode_inspection(Inspection((finding,)), 10)


def test_of_too_many_findings_the_strongest_are_kept() -> None:
    many = tuple(RawFinding("X", (i % 1000) / 1000) for i in range(2 * frames.FINDINGS_LIMIT))
    kept = frames.decode_inspection(frames.encode_inspection(Inspection(many), 0)).findings
    assert len(kept) == frames.FINDINGS_LIMIT
    assert min(finding.score for finding in kept) == 0.5


@pytest.mark.parametrize(
    "stream", [b"\xff" * 11, b"\x00\x00\x00\x00\x00" + bytes(6), b"\x00\x00\x00\x00\x63" + bytes(6)]
)
def test_a_stream_that_lost_its_framing_is_refused(stream: bytes) -> None:
    with pytest.raises(BrokenStream):
        list(FrameReader().feed(stream))


@pytest.mark.parametrize("body", [b"{", b"[]", b'["en",[["A"]]]', b"[null,3]", b'[null,[["A",1,2,3,4]]]'])
def test_an_answer_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BrokenStream):
        frames.decode_inspection(body)
