"""Words that mean the same in detectors' labels: the material of paraphrases. Judgement, kept where it can be read."""

from __future__ import annotations

from types import MappingProxyType

SHORT_FORMS = MappingProxyType(
    {
        "account": ("acct", "acc"),
        "address": ("addr",),
        "attack": ("atk",),
        "authentication": ("auth",),
        "authorization": ("authz",),
        "category": ("cat",),
        "certificate": ("cert",),
        "configuration": ("config", "cfg"),
        "connection": ("conn",),
        "content": ("cont",),
        "credential": ("cred",),
        "credentials": ("creds",),
        "database": ("db",),
        "department": ("dept",),
        "document": ("doc",),
        "government": ("govt", "gov"),
        "identification": ("ident", "id"),
        "identifier": ("id", "ident"),
        "information": ("info",),
        "insurance": ("ins",),
        "language": ("lang",),
        "license": ("lic", "licence"),
        "location": ("loc",),
        "medical": ("med",),
        "message": ("msg",),
        "number": ("num", "no", "nbr", "nr"),
        "organization": ("org", "organisation"),
        "passport": ("ppt",),
        "password": ("pwd", "passwd", "pass"),
        "person": ("per", "pers"),
        "personal": ("pers",),
        "phone": ("tel", "ph"),
        "private": ("priv",),
        "registration": ("reg",),
        "security": ("sec",),
        "service": ("svc",),
        "telephone": ("tel",),
        "transaction": ("txn",),
        "username": ("user", "uname"),
        "vehicle": ("veh",),
    }
)
"""Word → how labels abbreviate it."""

SAME = tuple(
    tuple(group.split("|"))
    for group in (
        "email|e mail|mail address|email address|electronic mail",
        "phone|telephone|phone number|telephone number|mobile number",
        "name|full name|person name",
        "credit card|payment card|card number|credit card number",
        "driver license|driving licence|drivers license|driver licence",
        "date of birth|birth date|birthday|dob",
        "social security number|ssn|us ssn",
        "ip address|ip|internet address",
        "passport|passport number|passport id",
        "password|passphrase|login password",
        "api key|api token|service key",
        "access token|bearer token|oauth token",
        "private key|secret key file|key material",
        "prompt injection|injected instruction|instruction injection",
        "jailbreak|jail break|guardrail bypass|safety bypass",
        "hate|hateful|hate speech|hatred",
        "harassment|harassing|bullying",
        "insult|insulting|offensive insult",
        "profanity|swearing|vulgar language|obscenity",
        "violence|violent|violent content",
        "threat|threatening|menace",
        "self harm|self injury|suicide|self harm intent",
        "sexual|sexually explicit|explicit sexual content|nsfw",
        "weapons|weapon|arms|firearms",
        "drugs|drug|narcotics|controlled substances",
        "fraud|scam|deception|fraudulent",
        "malware|malicious code|virus|malicious software",
        "toxic|toxicity|toxic language",
        "misinformation|disinformation|false information",
        "copyright|intellectual property|copyrighted material",
        "medical record|health record|patient record",
        "diagnosis|medical condition|disease",
        "bank account|bank account number|account number bank",
        "location|geolocation|geo location",
        "illegal|unlawful|criminal",
        "hallucination|ungrounded|not grounded",
    )
)
"""Phrases that stand for each other, in lower case words."""

PREFIXES = ("detected", "has", "contains", "entity", "type", "label", "category", "class", "finding", "flag")
SUFFIXES = ("detected", "score", "entity", "label", "category", "flag", "found", "probability")
"""What labels carry before and after their meaning without changing it."""

TAGS = ("B-", "I-", "S-", "E-")
