"""What the personal-context detector finds, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.scanners.identifiers.personal_context import personal_context_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan import checks
from tests.support.findings import best, found
from tests.unit.detectors.identifiers.test_checks import valid_numbers

_PERSONAL = personal_context_scanner()


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("My name is Anna O'Neill, nice to meet you", "PERSON_NAME", "Anna O'Neill"),
        ("please ask Mr. Jordan Example about it", "PERSON_NAME", "Jordan Example"),
        ("Patient: Max Mustermann", "PERSON_NAME", "Max Mustermann"),
        ("Sehr geehrte Frau von der Beispiel, danke", "PERSON_NAME", "von der Beispiel"),
        ("ich heiße Jürgen Müller-Lüdenscheidt", "PERSON_NAME", "Jürgen Müller-Lüdenscheidt"),
        ("me llamo María del Carmen Ejemplo", "PERSON_NAME", "María del Carmen Ejemplo"),
        ("la Sra. Muestra llamó ayer", "PERSON_NAME", "Muestra"),
        ("je m'appelle Élodie Exemple", "PERSON_NAME", "Élodie Exemple"),
        ("Best regards,\nJordan Example", "PERSON_NAME", "Jordan Example"),
        ("I live at 221B Baker Street, London NW1 6XE", "POSTAL_ADDRESS", "221B Baker Street, London NW1 6XE"),
        (
            "742 Evergreen Terrace, Springfield, IL 62704",
            "POSTAL_ADDRESS",
            "742 Evergreen Terrace, Springfield, IL 62704",
        ),
        ("wohnhaft Musterstraße 12a, 10115 Berlin.", "POSTAL_ADDRESS", "Musterstraße 12a, 10115 Berlin"),
        ("vivo en Calle de Alcalá 45, 28014 Madrid.", "POSTAL_ADDRESS", "Calle de Alcalá 45, 28014 Madrid"),
        ("12 rue de la Paix, 75002 Paris", "POSTAL_ADDRESS", "12 rue de la Paix, 75002 Paris"),
        ("send it to P.O. Box 1234", "POSTAL_ADDRESS", "P.O. Box 1234"),
        ("DOB: 03/14/1962", "DATE_OF_BIRTH", "03/14/1962"),
        ("she was born on March 14, 1962", "DATE_OF_BIRTH", "March 14, 1962"),
        ("geboren am 12. März 1980", "DATE_OF_BIRTH", "12. März 1980"),
        ("geb. 12.08.1964", "DATE_OF_BIRTH", "12.08.1964"),
        ("fecha de nacimiento: 5 de mayo de 1990", "DATE_OF_BIRTH", "5 de mayo de 1990"),
        ("passport number is X12345678", "PASSPORT_NUMBER", "X12345678"),
        ("Reisepass C01X00T47", "PASSPORT_NUMBER", "C01X00T47"),
        ("mi pasaporte es PAA123456", "PASSPORT_NUMBER", "PAA123456"),
        ("my driver's license number is D1234567", "DRIVER_LICENSE", "D1234567"),
        ("Führerscheinnummer B072RRE2I55", "DRIVER_LICENSE", "B072RRE2I55"),
        ("Steuer-ID 86095742719", "DE_TAX_ID", "86095742719"),
        ("DNI 12345678Z", "ES_NIF", "12345678Z"),
        ("NIE X-1234567-L".replace("-", ""), "ES_NIF", "X1234567L"),
        ("numéro de sécurité sociale 2 55 08 14 168 025 38", "FR_NIR", "2 55 08 14 168 025 38"),
    ],
)
def test_personal_data_is_found_whole(personal: TextScanner, text: str, label: str, value: str) -> None:
    assert (label, value) in found(personal, text)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Customer, dear Sir or Madam, dear Team,",
        "Sehr geehrte Damen und Herren,",
        "Estimados señores:",
        "The patient was told to wait. Name and address are required.",
        "Mr. President, the house will come to order.",
        "There are 12 ways to walk the high street in 2020.",
        "The contract was signed on 03/14/2024 in Berlin.",
        "Passport control is open from 08:00 to 22:00.",
        "A driver's license is required for this job, 2 years minimum.",
        "Version 86095742710 of the tax table is out.",
        "Reference 12345678A was closed.",
        "Die Straße 12 Kilometer weiter ist gesperrt.",
        "La calle estaba vacía a las 12.",
        "5 of 12 drives failed, 300 Drive Slots are free.",
        "My name is not important.",
        "I miss New York, and the madam too.",
        "In chapter 3 Every place was counted.",
    ],
)
def test_a_harmless_look_alike_stays_below_one_half(personal: TextScanner, text: str) -> None:
    assert found(personal, text) == set()


@given(valid_numbers(checks.de_tax_id, "86095742", 11), st.integers(0, 10), st.integers(1, 9))
def test_a_german_tax_id_is_found_with_its_check_digit_and_not_without(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(_PERSONAL, f"meine Steuer-ID: {value}", "DE_TAX_ID") > 0.9
    assert best(_PERSONAL, f"meine Steuer-ID: {wrong}", "DE_TAX_ID") == 0


@given(st.integers(0, 99_999_999), st.integers(1, 22))
def test_a_spanish_dni_is_found_with_its_letter_and_not_with_another(number: int, shift: int) -> None:
    letters = "TRWAGMYFPDXBNJZSQVHLCKE"
    assert best(_PERSONAL, f"mi DNI es {number:08d}{letters[number % 23]}", "ES_NIF") > 0.9
    assert best(_PERSONAL, f"mi DNI es {number:08d}{letters[(number + shift) % 23]}", "ES_NIF") == 0


@given(valid_numbers(checks.fr_nir, "1900175", 15), st.integers(1, 14), st.integers(1, 9))
def test_a_french_nir_is_found_with_its_key_and_not_without(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    assert best(_PERSONAL, f"NIR {value}", "FR_NIR") > 0.9
    assert best(_PERSONAL, f"NIR {wrong}", "FR_NIR") == 0


def test_a_check_digit_without_context_is_worth_less_than_with_it(personal: TextScanner) -> None:
    assert 0 < best(personal, "12345678Z", "ES_NIF") < 0.5 < best(personal, "NIF 12345678Z", "ES_NIF")
    assert 0 < best(personal, "86095742719", "DE_TAX_ID") < 0.5 < best(personal, "tax id 86095742719", "DE_TAX_ID")


def test_offsets_are_code_points_even_after_astral_characters(personal: TextScanner) -> None:
    assert ("PERSON_NAME", "Anna Example") in found(personal, "🎉🎉 İİ my name is Anna Example")
