"""Check digits and formats of identifiers. Every function takes the value as written and ignores its separators.

Each says whether the value could have been issued, never that it was.
"""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s.\-/]")
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_MBI = re.compile(
    r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}"
)
_DEA = re.compile(r"[A-HJ-NPR-UX][A-Z9][0-9]{7}")
_ICD10 = re.compile(r"([A-Z][0-9])[0-9A-Z](?:\.[0-9A-Z]{1,4})?")


def compact(value: str) -> str:
    """`value` in upper case without spaces, dots, dashes and slashes."""
    return _SEPARATORS.sub("", value).upper()


def _digits(value: str) -> list[int] | None:
    plain = compact(value)
    return [ord(c) - 48 for c in plain] if plain.isascii() and plain.isdigit() else None


def luhn(value: str) -> bool:
    """Whether the digits satisfy the mod-10 formula of ISO/IEC 7812-1, annex B."""
    digits = _digits(value)
    if not digits:
        return False
    total = sum(digits[-1::-2])
    for digit in digits[-2::-2]:
        total += digit * 2 - 9 * (digit > 4)
    return total % 10 == 0


def payment_card(value: str) -> bool:
    """Whether prefix and length are those of a card scheme and the Luhn digit is right.

    Schemes: Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay, Maestro.
    """
    plain = compact(value)
    if not plain.isascii() or not plain.isdigit() or not 13 <= len(plain) <= 19:
        return False
    size, two, four = len(plain), int(plain[:2]), int(plain[:4])
    known = (
        (plain[0] == "4" and size in (13, 16, 19))
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (size == 15 and two in (34, 37))
        or (16 <= size <= 19 and (four == 6011 or two in (62, 64, 65)))
        or (size == 16 and 3528 <= four <= 3589)
        or (size == 14 and (two in (36, 38, 39) or 3000 <= four <= 3059))
        or (two == 50 or 56 <= two <= 58 or four in (6304, 6759, 6761, 6762, 6763))
        or (size == 15 and four in (1800, 2131))
    )
    return known and luhn(plain)


def aba_routing(value: str) -> bool:
    """Whether nine digits are an ABA routing number: a Federal Reserve prefix and weights 3, 7, 1 modulo 10."""
    digits = _digits(value)
    if digits is None or len(digits) != 9:
        return False
    prefix = digits[0] * 10 + digits[1]
    if not (prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80) or not any(digits):
        return False
    return sum(d * w for d, w in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0


def npi(value: str) -> bool:
    """Whether ten digits are a US National Provider Identifier: Luhn over 80840 and the number (45 CFR 162.406)."""
    plain = compact(value)
    return len(plain) == 10 and plain[0] in "12" and luhn("80840" + plain)


def dea_number(value: str) -> bool:
    """Whether a US DEA registration number's last digit is that of d1+d3+d5 + 2(d2+d4+d6)."""
    plain = compact(value)
    if not _DEA.fullmatch(plain):
        return False
    d = [ord(c) - 48 for c in plain[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def medicare_mbi(value: str) -> bool:
    """Whether eleven characters follow the Medicare Beneficiary Identifier's format; it has no check digit."""
    return _MBI.fullmatch(compact(value)) is not None


def nhs_number(value: str) -> bool:
    """Whether ten digits are an NHS number: weights 10 to 2, modulo 11."""
    digits = _digits(value)
    if digits is None or len(digits) != 10 or len(set(digits)) == 1:
        return False
    check = 11 - sum(d * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    return check % 11 == digits[9] and check != 10


def de_health_insurance(value: str) -> bool:
    """Whether a letter and nine digits are a German Krankenversichertennummer.

    The letter counts as two digits, weights are 1 and 2 in turn, cross sums of the products are added, modulo 10.
    """
    plain = compact(value)
    if len(plain) != 10 or not plain.isascii() or not plain[0].isalpha() or not plain[1:].isdigit():
        return False
    body = f"{ord(plain[0]) - 64:02d}{plain[1:9]}"
    total = 0
    for place, char in enumerate(body):
        product = (ord(char) - 48) * (1 + place % 2)
        total += product // 10 + product % 10
    return total % 10 == ord(plain[9]) - 48


def de_tax_id(value: str) -> bool:
    """Whether eleven digits are a German tax id: ISO 7064 MOD 11,10 and exactly one repeated digit."""
    digits = _digits(value)
    if digits is None or len(digits) != 11 or digits[0] == 0:
        return False
    counts = [digits[:10].count(d) for d in set(digits[:10])]
    if max(counts) not in (2, 3) or sum(c > 1 for c in counts) != 1:
        return False
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == digits[10]


def es_nif(value: str) -> bool:
    """Whether a Spanish DNI or NIE has the right control letter (number modulo 23)."""
    plain = compact(value)
    if len(plain) != 9 or not plain.isascii() or plain[0] not in "0123456789XYZ" or not plain[1:8].isdigit():
        return False
    first = str("XYZ".index(plain[0])) if plain[0] in "XYZ" else plain[0]
    return _NIF_LETTERS[int(first + plain[1:8]) % 23] == plain[8]


def fr_nir(value: str) -> bool:
    """Whether a French social-security number's two-digit key is 97 minus the number modulo 97 (2A is 19, 2B is 18)."""
    plain = compact(value)
    body = plain[:5] + {"2A": "19", "2B": "18"}.get(plain[5:7], plain[5:7]) + plain[7:]
    if len(body) != 15 or not body.isascii() or not body.isdigit() or body[0] not in "123478":
        return False
    return 97 - int(body[:13]) % 97 == int(body[13:])


def icd10(value: str) -> bool:
    """Whether a code lies in one of ICD-10's blocks; whether the exact code exists is not looked up."""
    match = _ICD10.fullmatch(value.upper())
    if match is None:
        return False
    letter, tens = match[1][0], int(match[1][1])
    return {"U": tens in (0, 5, 8, 9), "H": True, "D": tens <= 8, "E": tens <= 8, "T": tens <= 8}.get(letter, True)
