from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_raw_catalogue
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import (
    CatalogueView,
    FrameworkKind,
    LabelMatch,
    MatchStage,
    category_of,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.catalogue import confidence
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.normalisation import normalise, without_tag
from llama_mapper.domain.mapping.catalogue.vocabulary import LabelTable, known_labels, label_table, vendor_tables

_RAW = load_raw_catalogue()
_TABLES = vendor_tables(_RAW.vocabularies)
_SHIPPED: CatalogueView = load_catalogue()
_LISTED = [(vendor, version, label) for (vendor, version), table in _TABLES.items() if version for label in table.exact]

OWN_LABELS = {
    "llama_mapper_financial": "US_ROUTING_NUMBER SWIFT_BIC CARD_SECURITY_CODE CARD_EXPIRY US_BANK_ACCOUNT",
    "llama_mapper_personal": (
        "POSTAL_ADDRESS DATE_OF_BIRTH PASSPORT_NUMBER DRIVER_LICENSE PERSON_NAME DE_TAX_ID ES_NIF FR_NIR"
    ),
    "llama_mapper_health": (
        "MEDICAL_RECORD_NUMBER NPI DEA_NUMBER ICD10_CODE HEALTH_INSURANCE_ID MEDICATION CONDITION "
        "MEDICARE_MBI PROCEDURE"
    ),
    "llama_mapper_secrets": "PROSE_PASSWORD CONNECTION_STRING PRIVATE_KEY",
    "llama_mapper_violence": (
        "THREAT VIOLENT_CRIME INCITEMENT GRAPHIC_VIOLENCE WEAPON_INSTRUCTIONS SELF_HARM_INTENT SELF_HARM_INSTRUCTIONS"
    ),
    "llama_mapper_abuse": "INSULT PROFANITY IDENTITY_ATTACK HATE_THREAT DEHUMANISATION HARASSMENT",
    "llama_mapper_prompt_attack": (
        "PROMPT_INJECTION INDIRECT_INJECTION JAILBREAK SYSTEM_PROMPT_EXTRACTION OBFUSCATION"
    ),
}


@pytest.mark.parametrize("vendor", OWN_LABELS)
def test_every_label_of_a_built_in_detector_maps_with_full_confidence(catalogue: Catalogue, vendor: str) -> None:
    for label in OWN_LABELS[vendor].split():
        match = catalogue.match(vendor, "1", label)
        assert match is not None and match.confidence == 1.0, label


def test_the_same_label_of_two_versions_means_what_each_version_says(catalogue: CatalogueView) -> None:
    meanings = {
        version: match.canonical for version in "1234" if (match := catalogue.match("llama_guard", version, "S5"))
    }
    assert meanings == {
        "2": "integrity.specialized_advice.general",
        "3": "integrity.defamation.defamation",
        "4": "integrity.defamation.defamation",
    }


def test_a_version_alias_means_its_version_whatever_version_is_named(catalogue: CatalogueView) -> None:
    expected = catalogue.match("llama_guard", "2", "S5")
    assert expected is not None
    assert catalogue.match("llama_guard_2", None, "S5") == expected
    assert catalogue.match("llama_guard_2", "anything", "S5") == expected


def test_without_a_version_the_newest_meaning_answers_and_a_dispute_lowers_the_confidence(
    catalogue: CatalogueView,
) -> None:
    listed = catalogue.match("llama_guard", "4", "S5")
    unnamed = catalogue.match("llama_guard", None, "S5")
    unlisted = catalogue.match("llama_guard", "99", "S5")
    assert listed and unnamed and unlisted
    assert listed.canonical == unnamed.canonical == unlisted.canonical
    assert listed.confidence > unnamed.confidence > unlisted.confidence > 0


def test_without_a_version_a_label_of_an_old_version_is_found(catalogue: CatalogueView) -> None:
    assert catalogue.match("llama_guard", None, "O4") == catalogue.match("llama_guard", "1", "O4")
    assert catalogue.match("llama_guard", "99", "O4") is None


def test_a_shared_list_leaves_out_what_it_says_and_adds_its_own(catalogue: CatalogueView) -> None:
    assert catalogue.match("betterleaks", "2.0.0", "github-pat") == catalogue.match("gitleaks", "8", "github-pat")
    assert catalogue.match("gitleaks", "8", "jfrog-api-key") is not None
    assert catalogue.match("betterleaks", "2.0.0", "jfrog-api-key") is None
    assert catalogue.match("betterleaks", "2.0.0", "groq-api-key") is not None


def test_a_family_answers_for_itself_and_each_of_its_variants(catalogue: CatalogueView) -> None:
    variants = ("IPI/Exfil.Send", "IPI/Exfil.Send.A", "IPI/Exfil.Send.Z64")
    matches = {catalogue.match("aicordon_picket", "1.4.0", variant) for variant in variants}
    assert [match.canonical for match in matches if match] == ["security.prompt_attack.indirect_injection"]
    assert catalogue.match("aicordon_picket", "1.4.0", "IPI/No.Such.A") is None
    for other in ("IPI/Exfil.Send.Anna", "IPI/Exfil.Send.1234"):
        assert catalogue.match("aicordon_picket", "1.4.0", other) is None


@pytest.mark.parametrize(
    ("vendor", "written", "listed"),
    [
        ("presidio", "email address", "EMAIL_ADDRESS"),
        ("presidio", "email::address", "EMAIL_ADDRESS"),
        ("presidio", "emailAddress", "EMAIL_ADDRESS"),
        ("presidio", "B-PERSON", "PERSON"),
        ("conll_ner", "I-PER", "PER"),
        ("conll_ner", "U-LOC", "LOC"),
        ("openai_moderation", "self_harm_intent", "self-harm/intent"),
        ("presidio", "\uff30\uff25\uff32\uff33\uff2f\uff2e", "PERSON"),
        ("llama_guard", "s-10", "S10"),
    ],
)
def test_spelling_does_not_matter_and_costs_confidence(
    catalogue: CatalogueView, vendor: str, written: str, listed: str
) -> None:
    expected, match = catalogue.match(vendor, None, listed), catalogue.match(vendor, None, written)
    assert expected is not None and match is not None
    assert match.stage is MatchStage.NORMALISED
    assert match.canonical == expected.canonical
    assert match.confidence < expected.confidence


def _meaning(canonical: str) -> LabelMatch:
    return LabelMatch(canonical, (), MatchStage.EXACT, 1.0)


def test_labels_that_normalise_alike_and_differ_in_meaning_match_only_exactly() -> None:
    table = label_table({"a-b": _meaning("x.one"), "A_B": _meaning("x.two"), "ab": _meaning("x.one")}, {})
    assert table.find("a-b") == _meaning("x.one")
    assert table.find("A_B") == _meaning("x.two")
    assert table.find("A B") is None


def test_a_label_that_is_known_with_and_without_its_prefix_must_mean_one_thing() -> None:
    table = label_table({"email": _meaning("x.one"), "mail": _meaning("x.two")}, {})
    assert table.find("E-MAIL") is None
    same = label_table({"email": _meaning("x.one"), "mail": _meaning("x.one")}, {}).find("E-MAIL")
    assert same is not None and same.canonical == "x.one"


def test_digits_that_a_separator_keeps_apart_stay_apart() -> None:
    assert normalise("1.1") == normalise("1-1") != normalise("11")
    assert normalise("S-1") == normalise("s1")


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_more_for_plain_text(text: str) -> None:
    if text.isascii():
        assert normalise(normalise(text)) == normalise(text)


@given(st.sampled_from(_LISTED))
def test_a_normalised_match_never_contradicts_the_exact_one(listed: tuple[str, str, str]) -> None:
    vendor, version, label = listed
    exact = _SHIPPED.match(vendor, version, label)
    assert exact is not None and exact.stage is MatchStage.EXACT
    for spelling in (label.upper(), label.lower(), label.replace("_", "-"), label.replace(" ", "_"), f" {label} "):
        match = _SHIPPED.match(vendor, version, spelling)
        listed_too = spelling in _TABLES[vendor, version].exact
        assert match is None or listed_too or match.canonical == exact.canonical, spelling


@given(st.sampled_from(sorted({vendor for vendor, _, _ in _LISTED})), st.text(min_size=1, max_size=60))
def test_a_label_off_the_vocabulary_has_no_match(vendor: str, label: str) -> None:
    table: LabelTable = _TABLES[vendor, None]
    forms = {normalise(known) for known in table.exact}
    bare = without_tag(label)
    known = (
        label in table.exact
        or label.rpartition(".")[0] in table.families
        or normalise(label) in forms
        or (bare is not None and normalise(bare) in forms)
    )
    if not known:
        assert _SHIPPED.match(vendor, None, label) is None


def test_an_unknown_vendor_has_no_match(catalogue: CatalogueView) -> None:
    assert catalogue.match("nobody", None, "PERSON") is None
    assert catalogue.match("nobody", "1", "PERSON") is None


def test_every_answer_of_a_vocabulary_is_a_label_of_the_taxonomy_with_a_confidence() -> None:
    for vendor, version, label in _LISTED:
        match = _SHIPPED.match(vendor, version, label)
        assert match is not None
        assert 0 < match.confidence <= 1
        for canonical in (match.canonical, *match.also):
            assert _SHIPPED.name(canonical)
            assert _SHIPPED.severity(canonical) is _SHIPPED.categories[category_of(canonical)]


def test_better_known_lists_are_trusted_more() -> None:
    order = [confidence.EXACT[basis] for basis in ("defined", "run", "file", "docs", "knowledge")]
    assert order == sorted(order, reverse=True) and len(set(order)) == len(order)


def test_severity_and_name_of_an_unknown_label_are_an_error(catalogue: CatalogueView) -> None:
    assert catalogue.severity("pii.financial_data.iban") is Severity.CRITICAL
    with pytest.raises(KeyError):
        catalogue.severity("pii.nowhere")
    with pytest.raises(KeyError):
        catalogue.name("pii.nowhere")


def test_the_eight_required_categories_are_there(catalogue: CatalogueView) -> None:
    assert {
        "pii.personal_identifiers",
        "pii.financial_data",
        "pii.health_records",
        "security.credentials",
        "security.tokens",
        "content.toxic_language",
        "content.hate_speech",
        "content.violence",
    } <= set(catalogue.categories)


def test_no_framework_named_means_every_default_edition_and_each_framework_once(catalogue: CatalogueView) -> None:
    refs = [edition.ref for edition in catalogue.resolve_frameworks(())]
    assert len(refs) == len({ref.split(":")[0] for ref in refs}) == 11
    assert "iso27001:2022" in refs and "iso27001:2013" not in refs
    assert [edition.ref for edition in catalogue.frameworks()] == [*refs, "iso27001:2013"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("iso27001", "iso27001:2022"),
        ("iso27001_2022", "iso27001:2022"),
        ("iso27001:2013", "iso27001:2013"),
        ("pci_dss_4", "pci_dss:4.0.1"),
        ("nist_800_53_r5", "nist_800_53:r5"),
        ("owasp_llm_2025", "owasp_llm:2025"),
        ("soc2", "soc2:2017"),
    ],
)
def test_a_reference_may_be_a_framework_an_edition_or_an_alias(
    catalogue: CatalogueView, written: str, meant: str
) -> None:
    assert [edition.ref for edition in catalogue.resolve_frameworks((written,))] == [meant]


def test_an_edition_named_twice_answers_once_in_the_order_first_named(catalogue: CatalogueView) -> None:
    editions = catalogue.resolve_frameworks(("gdpr", "iso27001_2022", "iso27001", "gdpr:2016"))
    assert [edition.ref for edition in editions] == ["gdpr:2016", "iso27001:2022"]


@pytest.mark.parametrize(
    ("ref", "code", "named"),
    [
        ("soc3", ErrorCode.FRAMEWORK_NOT_FOUND, "soc2"),
        ("iso27001:2005", ErrorCode.EDITION_NOT_FOUND, "2022, 2013"),
    ],
)
def test_an_unknown_reference_is_an_error_that_names_what_is_known(
    catalogue: CatalogueView, ref: str, code: ErrorCode, named: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        catalogue.resolve_frameworks(("gdpr", ref))
    assert raised.value.error_code is code
    assert named in raised.value.message


def _ids(catalogue: CatalogueView, canonical: str, ref: str) -> list[str]:
    (edition,) = catalogue.resolve_frameworks((ref,))
    return [link.control_id for link in catalogue.controls(canonical, edition)]


def test_a_level_3_entry_replaces_the_entry_of_its_category(catalogue: CatalogueView) -> None:
    assert _ids(catalogue, "pii.financial_data.payment_card", "pci_dss")
    assert _ids(catalogue, "pii.financial_data", "pci_dss") == []
    assert _ids(catalogue, "pii.financial_data.iban", "pci_dss") == []
    assert _ids(catalogue, "pii.financial_data.iban", "soc2") == _ids(catalogue, "pii.financial_data", "soc2")
    assert _ids(catalogue, "pii.financial_data.card_security_code", "hipaa") == []


def test_iso_27001_is_answered_in_the_ids_of_the_edition_asked_for(catalogue: CatalogueView) -> None:
    label = "pii.personal_identifiers.email"
    new, old = _ids(catalogue, label, "iso27001"), _ids(catalogue, label, "iso27001:2013")
    assert {"A.5.12", "A.5.13", "A.5.14"} <= set(new)
    assert {"A.8.2.1", "A.8.2.2", "A.13.2.1"} <= set(old)
    assert not set(new) & set(old)


@pytest.mark.parametrize("new_in_2022", ["A.5.7", "A.8.10", "A.8.11", "A.8.12", "A.8.16", "A.8.23", "A.8.28"])
def test_a_control_that_is_new_in_2022_has_no_counterpart_in_2013(new_in_2022: str) -> None:
    (correspondence,) = _RAW.crosswalk["correspondences"]
    assert new_in_2022 in correspondence["without"]
    assert new_in_2022 not in correspondence["controls"]


def test_non_findings_touch_no_control(catalogue: CatalogueView) -> None:
    for edition in catalogue.frameworks():
        assert catalogue.controls("meta.outcome.safe", edition) == ()
        assert catalogue.controls("not.known", edition) == ()


def test_every_link_has_a_title_a_reason_and_the_evidence_an_auditor_asks_for(catalogue: Catalogue) -> None:
    linked = 0
    for edition in catalogue.frameworks():
        for canonical in catalogue.labels:
            for link in catalogue.controls(canonical, edition):
                assert link.title and link.rationale
                assert catalogue.evidence_requirement(link.control_id, edition).endswith(".")
                linked += 1
    assert linked > 3_000


def test_the_evidence_of_an_unknown_control_is_empty(catalogue: CatalogueView) -> None:
    (edition,) = catalogue.resolve_frameworks(("soc2",))
    assert catalogue.evidence_requirement("A.5.12", edition) == ""


def test_risks_and_techniques_are_not_called_controls(catalogue: CatalogueView) -> None:
    kinds = {edition.framework: edition.kind for edition in catalogue.frameworks()}
    assert kinds.pop("owasp_llm") is FrameworkKind.RISK
    assert kinds.pop("mitre_atlas") is FrameworkKind.TECHNIQUE
    assert set(kinds.values()) == {FrameworkKind.CONTROL}


def test_the_catalogue_cannot_be_changed_through_what_it_gives(catalogue: CatalogueView) -> None:
    with pytest.raises(TypeError):
        catalogue.categories["x.y"] = Severity.LOW  # type: ignore[index]  # that it fails is the point


def test_known_labels_are_what_the_catalogue_answers_for(catalogue: Catalogue) -> None:
    known = known_labels(_RAW.vocabularies)
    assert {label.key.vendor for label in known} > {"presidio", "llama_guard", "aicordon_picket"}
    assert len(known) == len({label.key for label in known})
    for label in known:
        match = catalogue.match(label.key.vendor, label.key.vendor_version, label.key.label)
        assert match is not None
        assert (match.canonical, match.also) == (label.canonical, label.also)
