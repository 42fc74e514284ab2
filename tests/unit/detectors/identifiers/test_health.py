"""What the health detector finds, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.health_records.scanner import health_scanner
from llama_mapper.adapters.orchestration.scanners.health_records.terms import TermLexicons
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan import checks
from llama_mapper.adapters.orchestration.scanners.textscan.lexicon import load_terms
from tests.support.findings import best, found
from tests.unit.detectors.identifiers.test_checks import valid_numbers

_HEALTH = health_scanner()
_HEALTH.load()


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("MRN: 00482913", "MEDICAL_RECORD_NUMBER", "00482913"),
        ("medical record number is AB-558210", "MEDICAL_RECORD_NUMBER", "AB-558210"),
        ("Patientennummer 5521908", "MEDICAL_RECORD_NUMBER", "5521908"),
        ("Fallnummer: 20241177", "MEDICAL_RECORD_NUMBER", "20241177"),
        ("número de historia clínica: 884213", "MEDICAL_RECORD_NUMBER", "884213"),
        ("prescriber NPI 1234567893", "NPI", "1234567893"),
        ("DEA number AB1234563", "DEA_NUMBER", "AB1234563"),
        ("her Medicare id is 1EG4-TE5-MK73", "MEDICARE_MBI", "1EG4-TE5-MK73"),
        ("ICD-10: E11.9", "ICD10_CODE", "E11.9"),
        ("Diagnose: F32.1", "ICD10_CODE", "F32.1"),
        ("diagnóstico CIE-10 J45.0", "ICD10_CODE", "J45.0"),
        ("health insurance member ID XJB882144910", "HEALTH_INSURANCE_ID", "XJB882144910"),
        ("Krankenversichertennummer A123456780", "HEALTH_INSURANCE_ID", "A123456780"),
        ("NHS number 943 476 5919", "HEALTH_INSURANCE_ID", "943 476 5919"),
        ("she takes sertraline every morning", "MEDICATION", "sertraline"),
        ("Ibuprofen 400 mg, dreimal täglich", "MEDICATION", "Ibuprofen"),
        ("toma metformina cada 12 horas", "MEDICATION", "metformina"),
        ("I have been diagnosed with multiple sclerosis", "CONDITION", "multiple sclerosis"),
        ("Die Patientin leidet an Bluthochdruck", "CONDITION", "Bluthochdruck"),
        ("mi padre padece insuficiencia renal", "CONDITION", "insuficiencia renal"),
        ("the patient underwent a colonoscopy", "PROCEDURE", "colonoscopy"),
        ("Zustand nach Blinddarmoperation", "PROCEDURE", "Blinddarmoperation"),
        ("ingresada para quimioterapia; paciente con diagnóstico reciente", "PROCEDURE", "quimioterapia"),
    ],
)
def test_health_data_about_a_person_is_found(health: TextScanner, text: str, label: str, value: str) -> None:
    assert (label, value) in found(health, text)


@pytest.mark.parametrize(
    "text",
    [
        "Your order number is 1234567893.",
        "Please ship 200 A12.5 bolts and the part B47.1 bracket.",
        "We collected 500 dollars as a cancer research donation.",
        "A stroke of luck saved the cup final.",
        "The great depression hit farmers hard.",
        "Die Stiftung wirbt für die Krebsforschung.",
        "Una campaña de concienciación sobre la diabetes.",
        "Flight AB1234567 leaves at gate 12.",
        "Member ID 123456 for the climbing gym.",
        "The museum shows how ibuprofen was discovered.",
        "Our NPI score rose to 1234567890 points.",
        "The server ran a biopsy plugin, a cute name for a profiler.",
        "Serial number 1EG4TE5MK73 is out of warranty.",
    ],
)
def test_a_harmless_look_alike_stays_below_one_half(health: TextScanner, text: str) -> None:
    assert found(health, text) == set()


def test_context_raises_a_term_step_by_step(health: TextScanner) -> None:
    scores = [
        best(health, "a talk about cancer research", "CONDITION"),
        best(health, "cancer", "CONDITION"),
        best(health, "Admitted today. Medication unchanged. Cancer.", "CONDITION"),
        best(health, "she was diagnosed with cancer", "CONDITION"),
    ]
    assert scores == sorted(set(scores))
    assert scores[1] < 0.5 < scores[2]


def test_a_dose_makes_a_drug_name_a_medication_record(health: TextScanner) -> None:
    assert best(health, "ibuprofen", "MEDICATION") < 0.5 < best(health, "ibuprofen 400 mg", "MEDICATION")


@given(valid_numbers(checks.npi, "1", 10), st.integers(2, 9), st.integers(1, 9))
def test_an_npi_is_found_with_its_check_digit_and_not_without(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(_HEALTH, f"Provider NPI: {value}", "NPI") > 0.9
    assert best(_HEALTH, f"Provider NPI: {wrong}", "NPI") == 0


@given(valid_numbers(checks.dea_number, "AB", 9), st.integers(1, 9))
def test_a_dea_number_is_found_with_its_check_digit_and_not_without(value: str, shift: int) -> None:
    wrong = value[:-1] + str((int(value[-1]) + shift) % 10)
    assert best(_HEALTH, f"DEA# {value}", "DEA_NUMBER") > 0.9
    assert best(_HEALTH, f"DEA# {wrong}", "DEA_NUMBER") == 0


@given(valid_numbers(checks.nhs_number, "", 10), st.integers(0, 9), st.integers(1, 9))
def test_an_nhs_number_is_found_with_its_check_digit_and_not_without(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(_HEALTH, f"NHS number {value}", "HEALTH_INSURANCE_ID") > 0.9
    assert best(_HEALTH, f"NHS number {wrong}", "HEALTH_INSURANCE_ID") == 0


def test_the_lexicons_are_large_and_free_of_duplicates() -> None:
    package = "llama_mapper.adapters.orchestration.scanners.health_records.lexicons"
    for name, least in (("medications", 200), ("conditions", 150), ("procedures", 100)):
        terms = [term.casefold() for term in load_terms(package, f"{name}.txt")]
        assert len(terms) >= least
        assert len(terms) == len(set(terms))


def test_scanning_before_loading_is_refused() -> None:
    with pytest.raises(RuntimeError, match="not loaded"):
        health_scanner().scan("x")


def test_lexicons_load_without_any_optional_library() -> None:
    assert TermLexicons.packaged()
