"""The question about a label, and how its answer is read."""

from __future__ import annotations

import json
import unicodedata

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.generation.label_prompt import (
    NONE,
    AnswerForm,
    answer_text,
    choices_of,
    label_prompt,
    read_answer,
    template_version,
)
from llama_mapper.domain.mapping.generation.quoting import QUOTED_LIMIT, neutral, quoted
from llama_mapper.domain.mapping.labels import LabelKey

IDS = ("security.credentials", "pii.financial_data.iban", "abuse.hate")
FORMS = pytest.mark.parametrize("form", AnswerForm)


@FORMS
@given(label=st.text(max_size=600), vendor=st.text(max_size=40))
def test_no_label_can_leave_its_quotation(form: AnswerForm, label: str, vendor: str) -> None:
    user = label_prompt(LabelKey(vendor, None, label), IDS, {}, "b0b0", form=form).user
    before, _, rest = user.partition("<<b0b0>>\n")
    data, _, after = rest.partition("\n<<end b0b0>>")
    assert json.loads(data) == {"vendor": neutral(vendor), "label": neutral(label)}
    assert not set("<>[]|") & set(data)
    other = label_prompt(LabelKey("v", None, "l"), IDS, {}, "b0b0", form=form).user
    assert (before, after) == (other.partition("<<b0b0>>\n")[0], other.partition("\n<<end b0b0>>")[2])


@given(st.text(max_size=2000))
def test_neutral_text_is_short_and_shows_what_it_is(text: str) -> None:
    shown = neutral(text)
    assert len(shown) <= QUOTED_LIMIT
    assert not [sign for sign in shown if unicodedata.category(sign)[0] == "C"]
    assert "\n" not in quoted(text)


def test_hidden_characters_do_not_part_a_word_and_a_cut_is_marked() -> None:
    assert neutral("pass\u200bword\u202e \x00\x1b[2J\r\nid") == "password [2J id"
    assert neutral("ＡＰＩ＿ＫＥＹ") == "API_KEY"  # noqa: RUF001 - full-width on purpose
    assert neutral("x" * 300).endswith("x…")
    assert neutral(" " * 5000 + "x").endswith("…")


@FORMS
def test_the_schema_admits_the_choices_and_nothing_else(form: AnswerForm) -> None:
    schema = label_prompt(LabelKey("v", None, "l"), IDS, {}, "b", form=form).schema
    choices = choices_of(IDS, form)
    for canonical in (*IDS, NONE):
        text = answer_text(canonical, choices, form)
        jsonschema.validate(json.loads(text), dict(schema or {}))
        assert read_answer(text, choices) == canonical
    for off in ("Q", {"id": "abuse.violence"}, {"id": IDS[0], "why": ""}, 1, None, []):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(off, dict(schema or {}))


@FORMS
@pytest.mark.parametrize(
    "text", ["", "A.", '"', '"Z"', '{"id": "A"', '{"id": ["A"]}', '{"id": "A", "x": 1}', "[" * 99999]
)
def test_another_text_is_no_answer_and_is_not_quoted(form: AnswerForm, text: str) -> None:
    with pytest.raises(ValueError, match=r"^the answer is (not JSON|none of the choices)$"):
        read_answer(text, choices_of(IDS, form))


@FORMS
@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps))
def test_whatever_is_read_is_admissible(form: AnswerForm, text: str) -> None:
    try:
        canonical = read_answer(text, choices_of(IDS, form))
    except ValueError:
        return
    assert canonical in (*IDS, NONE)


def test_every_candidate_is_shown_with_its_meaning_and_none_comes_last() -> None:
    prompt = label_prompt(LabelKey("v", None, "l"), IDS, {IDS[0]: "passwords\nand keys"}, "b")
    lines = prompt.user.splitlines()
    assert lines[1:4] == ["A. security.credentials: passwords and keys", f"B. {IDS[1]}", f"C. {IDS[2]}"]
    assert lines[4].startswith("D. None of these")
    assert list(choices_of(IDS)) == ["A", "B", "C", "D"]


@pytest.mark.parametrize("number", [0, 52])
def test_too_few_or_too_many_candidates_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 51"):
        choices_of([f"a.b{n}" for n in range(number)])
    assert len(choices_of([f"a.b{n}" for n in range(51)])) == 52


def test_an_answer_that_was_no_choice_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not among"):
        answer_text("abuse.violence", choices_of(IDS))


def test_the_forms_have_different_versions() -> None:
    assert len({template_version(form) for form in AnswerForm}) == len(AnswerForm)
