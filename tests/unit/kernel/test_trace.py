"""W3C Trace Context, level 1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.trace import trace_from

HEX = st.text("0123456789abcdef", min_size=1)


@given(
    trace=st.integers(1, 2**128 - 1).map("{:032x}".format),
    span=st.integers(1, 2**64 - 1).map("{:016x}".format),
    flags=st.integers(0, 255).map("{:02x}".format),
)
def test_a_well_formed_trace_is_taken_up_with_a_span_of_our_own(trace: str, span: str, flags: str) -> None:
    taken = trace_from(f"00-{trace}-{span}-{flags}")
    assert (taken.trace_id, taken.flags) == (trace, flags)
    assert taken.span_id != span
    assert trace_from(taken.traceparent).trace_id == trace


@given(st.none() | st.text(max_size=60) | st.builds("00-{}-{}-{}".format, HEX, HEX, HEX))
def test_whatever_comes_in_what_goes_on_is_well_formed(header: str | None) -> None:
    taken = trace_from(header)
    assert trace_from(taken.traceparent).trace_id == taken.trace_id
    assert int(taken.trace_id, 16) > 0


@pytest.mark.parametrize("rest", ["", "-", "-more", "-01-02"])
def test_of_a_later_version_what_this_one_knows_is_taken_up(rest: str) -> None:
    taken = trace_from(f"01-{'a' * 32}-{'b' * 16}-01{rest}")
    assert (taken.trace_id, taken.flags) == ("a" * 32, "01")


@pytest.mark.parametrize(
    "bad", [f"ff-{'a' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-01-more", f"01-{'a' * 32}-{'b' * 16}-01more"]
)
def test_what_is_no_version_or_no_end_starts_a_new_trace(bad: str) -> None:
    assert trace_from(bad).trace_id != "a" * 32
