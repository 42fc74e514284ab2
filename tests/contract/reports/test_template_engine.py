"""Templates in real processes: what they are given, and what they may not take."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.mapping.reports.process_templates import ProcessTemplates, TemplateLimits
from llama_mapper.domain.contracts.reports import TemplateFormat
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, TemplateError

TEXT, HTML, MARKDOWN = TemplateFormat.TEXT, TemplateFormat.HTML, TemplateFormat.MARKDOWN
DATA: dict[str, Any] = {"name": "Anna <b>", "rows": [{"id": "a", "value": 1}], "nothing": None}
ENGINE = ProcessTemplates(TemplateLimits(timeout_s=20, wait_s=120, output_characters=2_000))
IMPATIENT = ProcessTemplates(
    TemplateLimits(timeout_s=1, wait_s=120, output_characters=2_000, memory_bytes=256 * 1024 * 1024)
)
LOOPS = "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}"
ENDS = "{% endfor %}" * 3
BUSY = "{{ 9 ** (9 ** 9) }}"
"""Some minutes of one step of the interpreter."""

ESCAPES = {
    "class": "{{ ''.__class__.__mro__ }}",
    "class by item": "{{ ''['__class__'] }}",
    "class by attr": "{{ ''|attr('__class__') }}",
    "globals of a function": "{{ range.__globals__ }}",
    "self": "{{ self.__init__.__globals__ }}",
    "self of a block": "{{ self._TemplateReference__context }}",
    "format": "{{ '{0.__class__}'.format(name) }}",
    "format map": "{{ '{a.__class__}'.format_map({'a': name}) }}",
    "code of a macro": "{% macro m() %}{% endmacro %}{{ m._func.__code__ }}",
    "map to attribute": "{{ ['']|map(attribute='__class__')|first }}",
    "groupby": "{{ (['']|groupby('__class__')|first).grouper }}",
    "changing a list": "{{ rows.append(1) }}",
    "changing a dictionary": "{{ rows[0].update({'id': 'b'}) }}",
    "namespace": "{{ namespace().__class__ }}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "lipsum": "{{ lipsum.__globals__ }}",
    "too many numbers": "{% for a in range(1000000000) %}{% endfor %}",
}


async def code_of(engine: ProcessTemplates, text: str, form: TemplateFormat = TEXT) -> tuple[ErrorCode, str]:
    with pytest.raises(ServiceError) as raised:
        await engine.render(text, form, DATA)
    return raised.value.error_code, raised.value.message


async def test_a_template_sees_what_it_is_given_and_writes_it() -> None:
    text = "{{ name }}: {% for row in rows %}{{ row.id }}={{ row.value|percent }}{% endfor %}{{ nothing }}."
    assert await ENGINE.render(text, TEXT, DATA) == "Anna <b>: a=100.0 %."
    assert await ENGINE.render(text, HTML, DATA) == "Anna &lt;b&gt;: a=100.0 %."
    assert await ENGINE.render(text, MARKDOWN, DATA) == r"Anna \<b\>: a=100.0 %."


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
async def test_a_template_that_reaches_out_breaks(text: str) -> None:
    code, message = await code_of(ENGINE, text)
    assert code is ErrorCode.TEMPLATE_FAILED
    assert "line 1" in message


async def test_the_process_has_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_LINK_SECRET", "a secret of this process")
    before = children()
    computing = asyncio.ensure_future(ENGINE.render(BUSY, TEXT, DATA))
    (process,) = await more_than(before)
    assert Path(f"/proc/{process}/environ").read_bytes() == b""
    await cancelled(computing)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{LOOPS}{ENDS}", "longer than 1 s"),
        ("{{ 9 ** (9 ** 9) }}", "longer than 1 s"),
        ("{{ 'a' * 3000 }}", "2000 characters"),
        (f"{LOOPS}x{ENDS}", "2000 characters"),
        ("{{ 'a' * 10 ** 10 }}", "memory"),
        ("{{ 'a'.center(10 ** 10) }}", "memory"),
        ("{{ '%9999999999d' % 1 }}", "memory"),
        ("{% set x %}{% for a in range(9) %}{{ 'a' * 100000000 }}{% endfor %}{% endset %}", "memory"),
    ],
)
async def test_a_template_that_takes_too_much_is_ended(text: str, words: str) -> None:
    code, message = await code_of(IMPATIENT, text)
    assert (code, words in message) == (ErrorCode.TEMPLATE_LIMIT, True), message
    trial = await IMPATIENT.tried(text, TEXT, DATA)
    assert [where for where, _ in trial.problems] == ["text"]


async def test_the_event_loop_goes_on_while_a_template_computes() -> None:
    computing = asyncio.ensure_future(code_of(IMPATIENT, "{{ 9 ** (9 ** 9) }}"))
    turns = 0
    while not computing.done():
        await asyncio.sleep(0.02)
        turns += 1
    assert computing.result()[0] is ErrorCode.TEMPLATE_LIMIT
    assert turns >= 5, "the template had a second, in which the loop had its turns"


async def test_a_caller_that_goes_away_leaves_no_process() -> None:
    before = children()
    computing = asyncio.ensure_future(ENGINE.render(BUSY, TEXT, DATA))
    await more_than(before)
    await cancelled(computing)
    assert children() <= before


async def test_who_waits_too_long_for_a_turn_is_told_to_come_again() -> None:
    engine = ProcessTemplates(TemplateLimits(timeout_s=20, wait_s=0.05, at_once=1))
    before = children()
    first = asyncio.ensure_future(engine.render(BUSY, TEXT, DATA))
    await more_than(before)
    with pytest.raises(ServiceError) as refused:
        await engine.render("x", TEXT, DATA)
    assert (refused.value.error_code, refused.value.retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)
    await cancelled(first)
    assert await engine.render("x", TEXT, DATA) == "x", "the turn was given back"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a\n{% for %}", "line 2", ""),
        ("{% nonsense %}", "line 1", "nonsense"),
        ("\n\n{{ name|nonsense }}", "line 3", "nonsense"),
        ("\n{{ content }}", "line 2", "'content' is not among what a template is given: name, nothing, rows"),
        ("{% include 'x' %}", "line 1", "include"),
        ("{% extends 'x' %}", "line 1", "extend"),
        ("{% from 'x' import y %}", "line 1", "import"),
        ("{% autoescape false %}{{ name }}{% endautoescape %}", "line 1", "escaped"),
        ("{{ name|safe }}", "line 1", "safe"),
        ("x\n{{ rows[0].oops }}", "line 2", "'oops' is not there"),
        ("{{ rows[0][name] }}", "line 1", "something is used that is not there"),
        ("{{ name / 2 }}", "line 1", "TypeError"),
        ("(" * 50 + "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "text", ""),
    ],
)
async def test_a_trial_says_what_is_wrong_and_where(text: str, where: str, what: str) -> None:
    trial = await ENGINE.tried(text, HTML, DATA)
    assert trial.text == ""
    assert trial.problems
    assert where == trial.problems[0][0], trial
    assert what in trial.problems[0][1], trial
    assert "Anna" not in repr(trial), "no value of the data is quoted"


async def test_a_trial_of_a_good_template_gives_what_it_writes() -> None:
    trial = await ENGINE.tried("{% set n = namespace(x=0) %}{% set n.x = 2 %}{{ name }} {{ n.x }}", HTML, DATA)
    assert (trial.problems, trial.text) == ((), "Anna &lt;b&gt; 2")


@pytest.mark.parametrize("text", ["{{ name|int / 0 }}", "{{ name + 1 }}", "{{ rows[name] }}", "{{ rows[0][name].x }}"])
async def test_a_fault_quotes_no_value(text: str) -> None:
    code, message = await code_of(ENGINE, text)
    assert code is ErrorCode.TEMPLATE_FAILED
    assert "Anna" not in message


async def test_half_a_surrogate_pair_does_not_get_out() -> None:
    assert await ENGINE.render(r"{{ '\ud800' }}x", TEXT, DATA) == "?x"


async def test_it_is_said_where_no_process_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(ServiceError) as refused:
        await ENGINE.render("x", TEXT, DATA)
    assert not isinstance(refused.value, TemplateError)
    assert refused.value.error_code is ErrorCode.SERVICE_UNAVAILABLE


def children() -> frozenset[int]:
    """Processes that this one started and that have not ended."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z" and int(parent) == os.getpid():
                found.add(int(entry.name))
    return frozenset(found)


async def more_than(before: frozenset[int]) -> frozenset[int]:
    """The processes that there were not before, once there are any."""
    until = time.monotonic() + 60
    while not (fresh := children() - before):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    return fresh


async def cancelled(task: asyncio.Future[str]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
