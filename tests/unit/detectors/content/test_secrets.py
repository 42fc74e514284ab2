"""Credentials and tokens. Every key here is invented or documented as an example."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner

from .flagging import flagged, spans

# Joined at run time, so that secret scanners of hosting services find nothing in this file.
GITHUB = "ghp" + "_" + "x7Kd92mQpL4vTzR8nWyB3cFhJ6sGaE1uYt5X"
PEM = (
    "-----BEGIN "
    + "PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj" * 2
    + "\n-----END "
    + "PRIVATE KEY-----"
)


def test_detect_secrets_points_at_the_whole_token_in_code_points(scanners: dict[str, TextScanner]) -> None:
    text = f"ünïcode 😀\r\nfirst AKIAIOSFODNN7EXAMPLE then {GITHUB}"
    assert spans(scanners["detect_secrets"], text, "GitHub Token") == [GITHUB]
    assert spans(scanners["detect_secrets"], text, "AWS Access Key") == ["AKIAIOSFODNN7EXAMPLE"]


def test_detect_secrets_finds_a_token_across_the_edge_of_its_windows(scanners: dict[str, TextScanner]) -> None:
    for before in range(4060, 4110, 7):
        assert spans(scanners["detect_secrets"], "." * before + " " + GITHUB, "GitHub Token") == [GITHUB]


@pytest.mark.parametrize(
    "text",
    [
        "plain prose about keys and locks",
        "password = '<password>'",
        "api_key = '${API_KEY}'",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    ],
)
def test_detect_secrets_leaves_prose_placeholders_and_hashes_alone(scanners: dict[str, TextScanner], text: str) -> None:
    assert not flagged(scanners["detect_secrets"], text)


def test_betterleaks_points_at_the_secret_in_code_points(scanners: dict[str, TextScanner]) -> None:
    text = f"ünïcode 😀\nx é {GITHUB} and again {GITHUB}"
    assert set(spans(scanners["betterleaks"], text, "github-pat")) == {GITHUB}


def test_betterleaks_reads_past_a_nul_character(scanners: dict[str, TextScanner]) -> None:
    assert spans(scanners["betterleaks"], f"a\0b {GITHUB}", "github-pat") == [GITHUB]


def test_betterleaks_leaves_prose_alone(scanners: dict[str, TextScanner]) -> None:
    assert not flagged(scanners["betterleaks"], "The key to good coffee is fresh beans, and a secret nobody tells.")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("the password is hunter2", "hunter2"),
        ("The wifi password for the office is swordfish.", "swordfish"),
        ("My passcode: 'blue kestrel'", "blue kestrel"),
        ("pwd=Sunny-Day-7", "Sunny-Day-7"),
        ("Your PIN is 4821.", "4821"),
        ("Das Passwort lautet Sommer2024!", "Sommer2024"),
        ("Kennwort: Ahorn!9x", "Ahorn!9x"),
        ("Die PIN ist 9317", "9317"),
        ("la contraseña es: perro99", "perro99"),
        ("Contraseña: gato-Negro5", "gato-Negro5"),
    ],
)
def test_a_told_password_is_found_and_only_it_is_pointed_at(
    scanners: dict[str, TextScanner], text: str, secret: str
) -> None:
    assert "PROSE_PASSWORD" in flagged(scanners["secret_phrases"], text)
    assert spans(scanners["secret_phrases"], text, "PROSE_PASSWORD") == [secret]


@pytest.mark.parametrize(
    "text",
    [
        "password is required",
        "The password is incorrect.",
        "password: <password>",
        "password: ********",
        "pw: changeme?",
        "Is your password changeme?",
        "what is the password?",
        "The password is stored hashed.",
        "The password: minimum 12 characters",
        "pwd = os.environ['DB']",
        "password = getpass.getpass()",
        "Das Passwort ist falsch.",
        "Das Kennwort ist erforderlich",
        "La contraseña es obligatoria",
        "La clave es tener paciencia",
        "the pin is broken",
        "Password: {{ vault_password }}",
    ],
)
def test_talk_about_passwords_and_placeholders_is_clean(scanners: dict[str, TextScanner], text: str) -> None:
    assert not flagged(scanners["secret_phrases"], text)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:s3cr3t-pw@db.internal:5432/x",
        "Server=db1;Database=x;User Id=sa;Password=Gr33nTea;",
        "mongodb+srv://me:Kestrel9@cluster.example/db",
    ],
)
def test_a_connection_string_with_a_password_is_found(scanners: dict[str, TextScanner], text: str) -> None:
    assert "CONNECTION_STRING" in flagged(scanners["secret_phrases"], text)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:<password>@localhost/db",
        "https://example.com:8080/a@b",
        "postgres://user:password@localhost/db",
        "redis://localhost:6379",
    ],
)
def test_a_connection_string_without_a_real_password_is_clean(scanners: dict[str, TextScanner], text: str) -> None:
    assert not flagged(scanners["secret_phrases"], text)


def test_a_private_key_is_pointed_at_from_head_to_tail(scanners: dict[str, TextScanner]) -> None:
    assert spans(scanners["secret_phrases"], f"here:\n{PEM}\nbye", "PRIVATE_KEY") == [PEM]
    assert "private-key" in flagged(scanners["betterleaks"], PEM)


def test_the_mere_header_of_a_key_is_clean(scanners: dict[str, TextScanner]) -> None:
    assert not flagged(scanners["secret_phrases"], "The file starts with -----BEGIN PRIVATE KEY----- as usual.")
