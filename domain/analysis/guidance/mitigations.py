"""What to do about each risk category: one practical step, in our own words, for an engineer on duty."""

from __future__ import annotations

from types import MappingProxyType

MITIGATIONS = MappingProxyType(
    {
        "pii.personal_identifiers": (
            "Redact or pseudonymise the identifiers before the text is stored or sent on, and ask whether the use case "
            "needs them at all; if not, filter them where the text enters."
        ),
        "pii.financial_data": (
            "Stop the text from being stored or sent on, mask all but what a person must see, and trace how payment or "
            "bank data came to leave the system that is meant to hold it."
        ),
        "pii.health_records": (
            "Keep the text inside the systems approved for health data, remove what the task does not need, and have "
            "the privacy officer decide whether this was a permitted use."
        ),
        "pii.online_identifiers": (
            "Truncate or hash addresses and device identifiers before logging, and keep them no longer than the "
            "purpose they were collected for."
        ),
        "pii.location_data": (
            "Coarsen locations to the region that the task needs and drop exact coordinates before storing the text."
        ),
        "pii.demographic": (
            "Check whether the attributes, taken together, single a person out; generalise ages to bands and dates to "
            "years where they do."
        ),
        "pii.special_category": (
            "Block further use until a lawful ground for this kind of data is confirmed; otherwise delete it and tell "
            "the sender not to supply it."
        ),
        "pii.privacy_violation": (
            "Treat it as a possible disclosure: find out whose data it is and who received it, withhold the output, "
            "and start the privacy incident procedure if it left the organisation."
        ),
        "security.credentials": (
            "Revoke and replace the secret now, whoever saw it; then look for its use since it was exposed and move it "
            "into a secret store."
        ),
        "security.tokens": (
            "Revoke the token at its issuer, end the sessions made with it, review what it was used for, and issue a "
            "new one with the least scope and a short life."
        ),
        "security.prompt_attack": (
            "Refuse the instruction and keep it away from tools; mark outside text as data rather than instruction, "
            "and require confirmation before any action with an effect."
        ),
        "security.malicious_code": (
            "Do not run or merge the code. Quarantine it, scan it in isolation, and have generated code reviewed and "
            "tested like any other change."
        ),
        "security.malicious_links": (
            "Make the link inert before anyone can follow it, add its domain to the block list, and warn recipients "
            "who already had it."
        ),
        "security.resource_abuse": (
            "Apply size, rate and cost limits for the caller, and check whether the traffic belongs to a real use."
        ),
        "content.toxic_language": (
            "Hold back or rephrase the output; for user input, apply the conduct rules in proportion and let a person "
            "look at repeated cases."
        ),
        "content.harassment": (
            "Withhold the message from its target, keep the record for moderation, and act on the account under the "
            "conduct rules."
        ),
        "content.hate_speech": (
            "Withhold the content and pass it to moderation; if a model produced it, keep the versions of model and "
            "prompt and test that release for bias."
        ),
        "content.violence": (
            "Have a trained person judge quickly whether a threat is credible, and follow the escalation path to "
            "safety staff or authorities if it is."
        ),
        "content.self_harm": (
            "Show local crisis contacts at once, hand over to a trained person where there is one, and never answer "
            "with methods."
        ),
        "content.sexual": (
            "Withhold the content where the service is not meant for it, and check that age limits work where it is."
        ),
        "content.child_safety": (
            "Stop all processing, restrict access to the record, preserve what the law requires, and report to the "
            "competent authority or hotline through the designated person. Do not copy or forward the material."
        ),
        "content.sensitive_topic": (
            "No block is needed: answer with care, prefer sourced facts, and route to a person if the user seems "
            "distressed."
        ),
        "illicit.weapons": (
            "Refuse the help asked for. Escalate requests about weapons of mass harm to the safety team at once and "
            "review the session for related attempts."
        ),
        "illicit.drugs": (
            "Refuse instructions to make, obtain or misuse controlled substances; health information and help with "
            "addiction stay allowed."
        ),
        "illicit.crime": (
            "Refuse the help asked for, record the attempt, and have legal counsel decide whether anything must be "
            "reported."
        ),
        "illicit.fraud": (
            "Withhold text made to deceive, verify the identity behind unusual requests through another channel, and "
            "tell the fraud team."
        ),
        "illicit.cybercrime": (
            "Refuse operational attack help, check whether the target is one of your own systems, and tell the "
            "security team; authorised testing needs a named exception."
        ),
        "integrity.misinformation": (
            "Check the claim against a trusted source before it is shown, say where it is uncertain, and correct what "
            "was already published."
        ),
        "integrity.political": (
            "Keep to balanced, sourced statements, avoid persuasion, and do not store opinions that can be tied to a "
            "person."
        ),
        "integrity.defamation": (
            "Withhold statements about identifiable people that no source supports, and give those people a way to "
            "have them corrected."
        ),
        "integrity.intellectual_property": (
            "Compare with the likely source, remove or license what is copied, and record the licence of any code that "
            "is kept."
        ),
        "integrity.specialized_advice": (
            "Say that the answer is general information, refer to a qualified professional, and put a person in the "
            "loop where a decision depends on it."
        ),
        "integrity.manipulation": (
            "Remove the pressure or deception from the text, and review the product's prompts for goals that work "
            "against the user's interest."
        ),
        "quality.groundedness": (
            "Regenerate with the sources attached, show citations, and abstain where the sources do not support the "
            "answer."
        ),
        "quality.relevance": (
            "Review what was retrieved for this question and the prompt that framed it; ask the user back rather than "
            "answer beside the point."
        ),
        "quality.refusal": (
            "Check whether the refusal was right; if not, narrow the rule that caused it and add the case to the "
            "evaluation set."
        ),
        "quality.form": (
            "Validate the output against the expected format and language, and retry once with the error before "
            "failing visibly."
        ),
        "policy.banned_content": (
            "Apply the local rule that was hit, tell the user which topic is out of bounds, and have the rule's owner "
            "review frequent false hits."
        ),
        "meta.outcome": (
            "Let a person look at labels that are ambiguous or unmapped, and add the mapping to the catalogue so that "
            "the next one is understood."
        ),
    }
)
"""Risk category → the step to take."""

UNLISTED = "Have the owner of this category judge the finding, and write down what to do when it comes again."
"""For a category of a custom taxonomy."""
