"""What each framework would have one do about a kind of finding, in our own words; no framework text is quoted."""

from __future__ import annotations

from types import MappingProxyType

FRAMEWORKS = MappingProxyType(
    {
        "soc2": (
            "Treat the finding as a security event: record who evaluated it and how it was closed, and keep both as a "
            "sample of the control in operation."
        ),
        "iso27001": (
            "Check that the control is in the Statement of Applicability, log the event with its assessment, and feed "
            "recurring ones into the risk treatment plan."
        ),
        "hipaa": (
            "First decide whether the data is protected health information held by a covered entity or business "
            "associate; if so, document the permitted use, or assess it as a possible breach."
        ),
        "gdpr": (
            "Name the purpose and lawful basis, remove what is not needed for it, and decide without delay whether it "
            "is a personal data breach, since notice to the authority is due within 72 hours."
        ),
        "eu_ai_act": (
            "Establish the system's role and risk class, keep the event in its logs, and bring it to the risk "
            "management and monitoring that this class calls for."
        ),
        "nist_ai_rmf": (
            "Map the finding to the system's context of use, measure how often it happens, and record the chosen "
            "response and who owns it."
        ),
        "nist_800_53": (
            "Show that the control as tailored in the security plan saw the event, and track weaknesses in the plan of "
            "action until they are closed."
        ),
        "pci_dss": (
            "Find out whether account data is in reach, bring the place where it appeared into scope or clean it out, "
            "and follow the incident procedure for data found where it should not be."
        ),
        "iso42001": (
            "Record the event in the AI management system, revisit the impact assessment if it changes, and tell those "
            "responsible for operating the AI system."
        ),
        "owasp_llm": (
            "Read it as an instance of this risk: test the application for variants of it and close the path at input, "
            "model, tool and output."
        ),
        "mitre_atlas": (
            "Read it as a possible use of this technique: look for the steps that usually come before and after it, "
            "and add a detection for each."
        ),
    }
)
"""Framework (its id, or the start of it where the id names the edition too) → what it asks for in general."""

ANY_FRAMEWORK = "Record the event, who evaluated it against this control, and how it was closed."
"""For a framework that a tenant uploaded."""

DUTIES = MappingProxyType(
    {
        "pii.personal_identifiers": "Show why identifying data was needed here, and how it is minimised and protected.",
        "pii.financial_data": "Show that financial data is masked, encrypted in transit and deleted in time.",
        "pii.health_records": "Show who may see health data, on which ground, and that only what is needed was used.",
        "pii.online_identifiers": "Show that linkable device and network identifiers are treated as personal data.",
        "pii.location_data": "Show that location is no more precise and kept no longer than its purpose needs.",
        "pii.demographic": "Show that combined attributes were checked for re-identification.",
        "pii.special_category": "Show the specific exception relied on for sensitive data, beside the general basis.",
        "pii.privacy_violation": "Show how the possible disclosure was investigated, contained and, if due, notified.",
        "security.credentials": "Show when the secret was revoked and where authentication data may be handled.",
        "security.tokens": "Show that the token was revoked, and that tokens have narrow scope and limited life.",
        "security.prompt_attack": "Show that the system is tested against manipulation and that attempts are noticed.",
        "security.malicious_code": "Show how malicious or unsafe code is detected, isolated and kept out of releases.",
        "security.malicious_links": "Show how harmful links are filtered and how users are made aware of them.",
        "security.resource_abuse": "Show the limits on use and how capacity and cost are watched.",
        "content.toxic_language": "Show the acceptable-use rule and how breaches of it are handled in proportion.",
        "content.harassment": "Show how people are protected from targeted abuse and how reports are handled.",
        "content.hate_speech": "Show that discriminatory output is tested for, and who reviews what is found.",
        "content.violence": "Show how threats are triaged, by whom and how quickly.",
        "content.self_harm": "Show the safe response for users at risk, and that it is tested before each release.",
        "content.sexual": "Show the content rule of the service and how age limits are enforced.",
        "content.child_safety": "Show the reporting route, the restriction of access, and that staff know the duty.",
        "content.sensitive_topic": "Show that sensitive subjects were considered in the intended use of the system.",
        "illicit.weapons": "Show that dangerous-capability requests are refused, tested for and escalated.",
        "illicit.drugs": "Show that unlawful help is refused while health information stays available.",
        "illicit.crime": "Show that unlawful help is refused and when counsel is asked about reporting.",
        "illicit.fraud": "Show how deceptive use is prevented and detected.",
        "illicit.cybercrime": "Show that offensive help is refused and how permitted testing is told apart.",
        "integrity.misinformation": "Show how accuracy is measured and how errors are corrected.",
        "integrity.political": "Show that opinions tied to a person are not processed without a ground.",
        "integrity.defamation": "Show how statements about people are kept accurate and how they can be corrected.",
        "integrity.intellectual_property": "Show how rights of others in inputs and outputs are respected.",
        "integrity.specialized_advice": "Show the limits of intended use and where a person must decide.",
        "integrity.manipulation": "Show that the design neither deceives users nor exploits their weaknesses.",
        "quality.groundedness": "Show how unsupported output is measured and kept from being relied on.",
        "quality.relevance": "Show that performance on the intended task is measured over time.",
        "quality.refusal": "Show that wrong refusals are measured along with wrong answers.",
        "quality.form": "Show that outputs are validated before other systems use them.",
        "policy.banned_content": "Show the local rule, who approved it, and that it was applied.",
        "meta.outcome": "Show that outcomes nobody could classify are reviewed by a person.",
    }
)
"""Risk category → what one should be able to show."""

UNLISTED_DUTY = "Show who owns this kind of finding and how it is judged."
"""For a category of a custom taxonomy."""
