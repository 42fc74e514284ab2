"""How the readers of each framework find their way in it: a framework adapter is data, one entry an edition's shape.

Parts and their titles are the frameworks' own divisions in our words. Whatever no entry fits is one group without a
name, in the catalogue's order: so a tenant's own framework needs no adapter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a framework: its title, and what it belongs to in turn."""

    title: str
    belongs_to: str = ""


@dataclass(frozen=True, slots=True)
class FrameworkAdapter:
    """The shape of an edition. `key` finds a control's part: the first group of the first match is its id.

    `parts` stand in the framework's order, by id. Where `first` is set, it is id → the lowest number of a run of
    controls that have only numbers, such as articles in chapters, and a part has all from its number to the next's.
    """

    group_name: str = "part"
    control_name: str = "control"
    key: re.Pattern[str] = field(default=re.compile("(?!)"))
    parts: Mapping[str, Part] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)

    def part_of(self, control_id: str) -> str | None:
        """The id of the control's part; None where it has none."""
        found = self.key.match(control_id)
        if found is None:
            return None
        if not self.first:
            return found[1] if found[1] in self.parts else None
        number = int(found[1])
        below = [part for part, least in self.first.items() if least <= number]
        return below[-1] if below else None


GENERIC = FrameworkAdapter()

_SECURITY = "Security (common criteria)"
_SOC2 = FrameworkAdapter(
    "category",
    "criterion",
    re.compile(r"([A-Z]+[0-9]+)\."),
    {
        "CC1": Part("Control environment", _SECURITY),
        "CC2": Part("Communication and information", _SECURITY),
        "CC3": Part("Risk assessment", _SECURITY),
        "CC4": Part("Monitoring activities", _SECURITY),
        "CC5": Part("Control activities", _SECURITY),
        "CC6": Part("Logical and physical access", _SECURITY),
        "CC7": Part("System operations", _SECURITY),
        "CC8": Part("Change management", _SECURITY),
        "CC9": Part("Risk mitigation", _SECURITY),
        "A1": Part("Additional criteria for availability", "Availability"),
        "PI1": Part("Additional criteria for processing integrity", "Processing integrity"),
        "C1": Part("Additional criteria for confidentiality", "Confidentiality"),
        "P1": Part("Notice and communication of objectives", "Privacy"),
        "P2": Part("Choice and consent", "Privacy"),
        "P3": Part("Collection", "Privacy"),
        "P4": Part("Use, retention and disposal", "Privacy"),
        "P5": Part("Access", "Privacy"),
        "P6": Part("Disclosure and notification", "Privacy"),
        "P7": Part("Quality", "Privacy"),
        "P8": Part("Monitoring and enforcement", "Privacy"),
    },
)
_ANNEX_2022 = FrameworkAdapter(
    "theme",
    "control",
    re.compile(r"(A\.[0-9]+)\."),
    {
        "A.5": Part("Organizational controls"),
        "A.6": Part("People controls"),
        "A.7": Part("Physical controls"),
        "A.8": Part("Technological controls"),
    },
)
_ANNEX_2013 = FrameworkAdapter(
    "clause",
    "control",
    re.compile(r"(A\.[0-9]+)\."),
    {
        "A.5": Part("Information security policies"),
        "A.6": Part("Organization of information security"),
        "A.7": Part("Human resource security"),
        "A.8": Part("Asset management"),
        "A.9": Part("Access control"),
        "A.10": Part("Cryptography"),
        "A.11": Part("Physical and environmental security"),
        "A.12": Part("Operations security"),
        "A.13": Part("Communications security"),
        "A.14": Part("System acquisition, development and maintenance"),
        "A.15": Part("Supplier relationships"),
        "A.16": Part("Information security incident management"),
        "A.17": Part("Information security aspects of business continuity"),
        "A.18": Part("Compliance"),
    },
)
_SECURITY_RULE, _BREACH_RULE, _PRIVACY_RULE = (
    "Subpart C: security rule",
    "Subpart D: breach notification rule",
    "Subpart E: privacy rule",
)
_HIPAA = FrameworkAdapter(
    "section",
    "standard",
    re.compile(r"(164\.[0-9]{3})"),
    {
        "164.306": Part("General rules", _SECURITY_RULE),
        "164.308": Part("Administrative safeguards", _SECURITY_RULE),
        "164.310": Part("Physical safeguards", _SECURITY_RULE),
        "164.312": Part("Technical safeguards", _SECURITY_RULE),
        "164.314": Part("Organizational requirements", _SECURITY_RULE),
        "164.316": Part("Policies, procedures and documentation", _SECURITY_RULE),
        "164.404": Part("Notification to individuals", _BREACH_RULE),
        "164.406": Part("Notification to the media", _BREACH_RULE),
        "164.408": Part("Notification to the Secretary", _BREACH_RULE),
        "164.410": Part("Notification by a business associate", _BREACH_RULE),
        "164.412": Part("Law enforcement delay", _BREACH_RULE),
        "164.414": Part("Administrative requirements and burden of proof", _BREACH_RULE),
        "164.500": Part("Applicability", _PRIVACY_RULE),
        "164.501": Part("Definitions", _PRIVACY_RULE),
        "164.502": Part("Uses and disclosures: general rules", _PRIVACY_RULE),
        "164.504": Part("Uses and disclosures: organizational requirements", _PRIVACY_RULE),
        "164.506": Part("Uses and disclosures for treatment, payment and operations", _PRIVACY_RULE),
        "164.508": Part("Uses and disclosures that need an authorization", _PRIVACY_RULE),
        "164.510": Part("Uses and disclosures with an opportunity to object", _PRIVACY_RULE),
        "164.512": Part("Uses and disclosures without authorization", _PRIVACY_RULE),
        "164.514": Part("Other requirements of uses and disclosures", _PRIVACY_RULE),
        "164.520": Part("Notice of privacy practices", _PRIVACY_RULE),
        "164.522": Part("Restriction requests", _PRIVACY_RULE),
        "164.524": Part("Access of individuals", _PRIVACY_RULE),
        "164.526": Part("Amendment", _PRIVACY_RULE),
        "164.528": Part("Accounting of disclosures", _PRIVACY_RULE),
        "164.530": Part("Administrative requirements", _PRIVACY_RULE),
    },
)
_ARTICLE = re.compile(r"Article\.([0-9]{1,4})")
_GDPR = FrameworkAdapter(
    "chapter",
    "article",
    _ARTICLE,
    {
        "I": Part("General provisions"),
        "II": Part("Principles"),
        "III": Part("Rights of the data subject"),
        "IV": Part("Controller and processor"),
        "V": Part("Transfers to third countries or international organisations"),
        "VI": Part("Independent supervisory authorities"),
        "VII": Part("Cooperation and consistency"),
        "VIII": Part("Remedies, liability and penalties"),
        "IX": Part("Specific processing situations"),
        "X": Part("Delegated and implementing acts"),
        "XI": Part("Final provisions"),
    },
    {"I": 1, "II": 5, "III": 12, "IV": 24, "V": 44, "VI": 51, "VII": 60, "VIII": 77, "IX": 85, "X": 92, "XI": 94},
)
_EU_AI_ACT = FrameworkAdapter(
    "chapter",
    "article",
    _ARTICLE,
    {
        "I": Part("General provisions"),
        "II": Part("Prohibited practices"),
        "III": Part("High-risk systems"),
        "IV": Part("Transparency obligations"),
        "V": Part("General-purpose models"),
        "VI": Part("Measures in support of innovation"),
        "VII": Part("Governance"),
        "VIII": Part("Database of high-risk systems"),
        "IX": Part("Monitoring after placing on the market, information sharing, surveillance"),
        "X": Part("Codes of conduct and guidelines"),
        "XI": Part("Delegation of power"),
        "XII": Part("Penalties"),
        "XIII": Part("Final provisions"),
    },
    {
        "I": 1,
        "II": 5,
        "III": 6,
        "IV": 50,
        "V": 51,
        "VI": 57,
        "VII": 64,
        "VIII": 71,
        "IX": 72,
        "X": 95,
        "XI": 97,
        "XII": 99,
        "XIII": 102,
    },
)
_AI_RMF = FrameworkAdapter(
    "function",
    "subcategory",
    re.compile("(GOVERN|MAP|MEASURE|MANAGE|GAI)-"),
    {
        "GOVERN": Part("Govern", "Core"),
        "MAP": Part("Map", "Core"),
        "MEASURE": Part("Measure", "Core"),
        "MANAGE": Part("Manage", "Core"),
        "GAI": Part("Risks of generative systems", "Generative AI profile (AI 600-1)"),
    },
)
_NIST_800_53 = FrameworkAdapter(
    "family",
    "control",
    re.compile("([A-Z]{2})-"),
    {
        "AC": Part("Access control"),
        "AT": Part("Awareness and training"),
        "AU": Part("Audit and accountability"),
        "CA": Part("Assessment, authorization and monitoring"),
        "CM": Part("Configuration management"),
        "CP": Part("Contingency planning"),
        "IA": Part("Identification and authentication"),
        "IR": Part("Incident response"),
        "MA": Part("Maintenance"),
        "MP": Part("Media protection"),
        "PE": Part("Physical and environmental protection"),
        "PL": Part("Planning"),
        "PM": Part("Program management"),
        "PS": Part("Personnel security"),
        "PT": Part("Processing and transparency of personal information"),
        "RA": Part("Risk assessment"),
        "SA": Part("System and services acquisition"),
        "SC": Part("System and communications protection"),
        "SI": Part("System and information integrity"),
        "SR": Part("Supply chain risk management"),
    },
)
_PCI_DSS = FrameworkAdapter(
    "requirement",
    "requirement",
    re.compile(r"([0-9]{1,2})\."),
    {
        "1": Part("Network security controls", "Secure network and systems"),
        "2": Part("Secure configurations", "Secure network and systems"),
        "3": Part("Stored account data", "Account data"),
        "4": Part("Cardholder data in transmission", "Account data"),
        "5": Part("Malicious software", "Vulnerability management"),
        "6": Part("Secure systems and software", "Vulnerability management"),
        "7": Part("Access by business need to know", "Access control"),
        "8": Part("Identification and authentication of users", "Access control"),
        "9": Part("Physical access", "Access control"),
        "10": Part("Logging and monitoring", "Monitoring and testing"),
        "11": Part("Testing of security", "Monitoring and testing"),
        "12": Part("Policies and programs", "Information security policy"),
    },
)
_ISO42001 = FrameworkAdapter(
    "objective",
    "control",
    re.compile(r"(A\.[0-9]+)\."),
    {
        "A.2": Part("Policies related to AI"),
        "A.3": Part("Internal organization"),
        "A.4": Part("Resources for AI systems"),
        "A.5": Part("Assessing impacts of AI systems"),
        "A.6": Part("AI system life cycle"),
        "A.7": Part("Data for AI systems"),
        "A.8": Part("Information for interested parties"),
        "A.9": Part("Use of AI systems"),
        "A.10": Part("Third-party and customer relationships"),
    },
)
_ADAPTERS: Mapping[str, FrameworkAdapter] = {
    "soc2:2017": _SOC2,
    "iso27001:2022": _ANNEX_2022,
    "iso27001:2013": _ANNEX_2013,
    "hipaa:2013": _HIPAA,
    "gdpr:2016": _GDPR,
    "eu_ai_act:2024": _EU_AI_ACT,
    "nist_ai_rmf:1.0": _AI_RMF,
    "nist_800_53:r5": _NIST_800_53,
    "pci_dss:4.0.1": _PCI_DSS,
    "owasp_llm:2025": FrameworkAdapter("list", "risk"),
    "mitre_atlas:5.6.0": FrameworkAdapter("list", "technique"),
    "iso42001:2023": _ISO42001,
}


def adapter_of(ref: str) -> FrameworkAdapter:
    """The adapter of `framework:edition`; the generic one for a tenant's own."""
    return _ADAPTERS.get(ref, GENERIC)


def adapted() -> frozenset[str]:
    """The editions that have an adapter of their own."""
    return frozenset(_ADAPTERS)
