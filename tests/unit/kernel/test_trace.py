"""W3C Trace Context, level 1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.trace import CURRENT_TRACE, TraceContext, state_from, trace_from
from llama_mapper.domain.kernel.tracing import NO_STEP, first_step, step

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


@pytest.mark.parametrize(
    ("told", "passed_on"),
    [
        ("a=1", "a=1"),
        (" a=1 ,\tb@c=2,, 0x@v=3 ", "a=1,b@c=2,0x@v=3"),
        ("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        ("", ""),
        ("a", ""),
        ("A=1", ""),
        ("a=", ""),
        ("a=1=2", ""),
        ("a=1,a=2", ""),
        ("a=\u00e9", ""),
        ("a=1\r\nx: y", ""),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        (",".join(f"k{number}=v" for number in range(33)), ""),
        (f"a={'x' * 200},b={'x' * 200},c={'x' * 200}", f"a={'x' * 200},b={'x' * 200}"),
    ],
)
def test_a_callers_state_is_passed_on_as_far_as_it_is_well_formed_and_not_too_long(told: str, passed_on: str) -> None:
    assert state_from(told) == passed_on
    trace = trace_from(f"00-{'a' * 32}-{'b' * 16}-01", told)
    assert trace.headers == {"traceparent": trace.traceparent} | ({"tracestate": passed_on} if passed_on else {})


def test_a_state_without_a_trace_is_nobodys() -> None:
    assert trace_from(None, "a=1").state == ""
    assert trace_from("garbage", "a=1").state == ""


@given(st.text(max_size=700))
def test_whatever_state_comes_in_a_header_can_carry_what_goes_on(told: str) -> None:
    passed_on = state_from(told)
    assert len(passed_on) <= 512
    assert passed_on.isascii()
    assert passed_on == "" or passed_on.isprintable()
    assert state_from(passed_on) == passed_on


@pytest.mark.parametrize("trace", [None, TraceContext("a" * 32, "b" * 16, "01")])
def test_where_nobody_records_every_step_is_the_same_nothing(trace: TraceContext | None) -> None:
    token = CURRENT_TRACE.set(trace)
    try:
        assert step("a") is step("b", "c") is first_step(None, "d") is NO_STEP
        with step("a") as outer, step("b") as inner:
            assert CURRENT_TRACE.get() is trace
            assert not outer
            assert not inner
            inner.set({"x": 1})
            inner.fail("CODE")
        with pytest.raises(KeyError), step("a"):
            raise KeyError
    finally:
        CURRENT_TRACE.reset(token)
