"""Prompt attacks by rules in English, German and Spanish, over the text and over views with disguises taken off.

A rule asks for a command and its object (`ignore` and `previous instructions`), a persona that is freed of rules, or a
demand for the hidden prompt. What only a view reveals is reported twice: as what it is, and as OBFUSCATION.
"""

# ruff: noqa: E501  (a pattern broken over lines hides what it matches)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

from .folding import fold
from .rules import Rule, matches, strongest
from .text_views import View, disguised_views

_FLAGGED = 0.5
_OBFUSCATED = 0.85


class PromptAttackScanner:
    """Attempts to override a model's instructions, free it of its rules, or read its prompt, disguised or not."""

    descriptor = DetectorDescriptor(
        name="prompt_attack",
        vendor="llama_mapper_prompt_attack",
        vendor_version="1",
        categories=("security.prompt_attack",),
        labels=("PROMPT_INJECTION", "INDIRECT_INJECTION", "JAILBREAK", "SYSTEM_PROMPT_EXTRACTION", "OBFUSCATION"),
        languages=("en", "de", "es"),
        cost_ms_per_kchar=2.0,
    )

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._squeezed: tuple[Rule, ...] = ()

    def load(self) -> None:
        """Compile the rules and read the table of look-alike characters."""
        try:
            import_module("confusable_homoglyphs.confusables")
        except ImportError as error:
            raise ScannerNotInstalled("confusable-homoglyphs is missing: install llama-mapper[detectors]") from error
        self._rules, self._squeezed = _rules(), _squeezed_rules()

    def scan(self, text: str) -> Inspection:
        """Findings whose span is the matched words, or the whole encoded chunk where the words are encoded."""
        if not self._rules:
            raise DetectorFailed("the prompt attack rules were not loaded")
        found = list(matches(self._rules, fold(text)))
        plain = [f for f in found if f.score >= _FLAGGED]
        for view in disguised_views(text):
            found += self._revealed(view, plain)
        return Inspection(strongest(found))

    def _revealed(self, view: View, plain: list[RawFinding]) -> Iterator[RawFinding]:
        """What `view` shows and the plain text does not."""
        rules = self._rules + self._squeezed if view.name in ("spaced", "split") else self._rules
        revealed = False
        for finding in matches(rules, view.folded):
            start, end = view.whole or (finding.start or 0, finding.end or 0)
            if finding.score < _FLAGGED or any(_same(p, finding.label, start, end) for p in plain):
                continue
            revealed = True
            yield replace(finding, start=start, end=end)
            yield RawFinding("OBFUSCATION", _OBFUSCATED, start, end)
        if view.suspicion and not revealed and view.whole is not None:
            yield RawFinding("OBFUSCATION", view.suspicion, *view.whole)


def _same(plain: RawFinding, label: str, start: int, end: int) -> bool:
    return plain.label == label and (plain.start or 0) < end and start < (plain.end or 0)


def prompt_attack_scanner() -> PromptAttackScanner:
    """A scanner for prompt attacks."""
    return PromptAttackScanner()


# Texts about attacks quote them; a quotation introduced as an example is not an attack on whoever reads it.
_MENTIONED = re.compile(
    r"(?:such as|for example|e\.g\.|for instance|phrases? like|like|prompts? like|strings? like|called|known as|attackers? (?:may|might|can|could|often|will)? ?(?:write|say|type|send|use)s?"
    r"|zum beispiel|z\. ?b\.|etwa|wie|satze wie|por ejemplo|como|frases como|tales como)[:,]? [\"'`][^\"'`\n]{0,80}$"
    r"|\b(?:prompt injections?|jailbreak(?:ing|s)?(?: attacks?)?) (?:is|are|attacks?|means|refers|ist|sind|es|son)\b[^\n]{0,200}$"
)


def _rules() -> tuple[Rule, ...]:
    mentioned = re.compile(_MENTIONED.pattern.replace("$", ""))

    def rule(label: str, score: float, pattern: str, *anchors: str) -> Rule:
        return Rule(label, score, re.compile(pattern), anchors, mentioned, 0.4)

    drop = r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|dismiss|discard|do not (?:follow|obey|listen to)|don't (?:follow|obey|listen to)|stop following|pay no (?:attention|heed) to|delete|erase|neglect|abandon|drop|skip|nullify|cancel|reset|set aside|throw (?:away|out)|not bound by|no longer bound by|no longer (?:follow|obey))"
    earlier = r"(?:previous(?:ly given)?|prior|preceding|above|earlier|former|foregoing|initial|original|existing|past|current|aforementioned|system|old|pre-?existing|default|built-?in|openai'?s?|your)"
    orders = r"(?:instructions?|prompts?|directives?|directions?|rules?|guidelines?|commands?|orders?|guidance|programming|training|context|constraints?|restrictions?|policies|policy|system (?:prompt|message|instructions?)|messages?|text|requests?|tasks?|guardrails|safeguards?|filters?|conversations?|everything)"
    free = r"(?:no|without(?: any)?|free (?:from|of)|zero|lacks? (?:any|all)|ignores? all|not (?:bound|limited|restricted|constrained) by(?: any)?|unbound by|unrestricted by|exempt from|break(?:s|ing)? free (?:from|of))"
    limits = r"(?:(?:ethical|moral|legal|content|safety|typical|usual|normal|openai'?s?|any|the|all|its|ai|rules|of|and|or|their|legal,|ethical,) ){0,6}(?:restrictions?|limits?|limitations?|rules|filters?|guidelines?|guardrails?|constraints?|censorship|boundaries|morals?|ethics|morality|policies|policy|confines|restraints|safeguards|moral compass|inhibitions)"
    which = r"(?:the|all|any|entire|full|exact|complete|whole|of|own|current|verbatim|these|this|my)"
    kept = r"(?:your|hidden|secret|internal|initial|original|above|previous|preceding|confidential|underlying)"
    hidden = rf"(?:(?:{which} ){{0,4}}(?:{kept} ){{0,3}}(?:system[ -](?:prompts?|messages?|instructions?)|pre-?prompt|meta-?prompt|developer (?:message|prompt)|initialization prompt|context window|configuration prompt)\b|(?:{which} ){{0,4}}(?:(?:{kept}|{which}) ){{0,2}}{kept} (?:prompt|instructions|guidelines|directives|initialization|rules you|first message)\b)"
    return (
        rule(
            "PROMPT_INJECTION",
            0.92,
            rf"\b{drop} (?:(?:all|any|every|each|of|the|your|my|our|these|those|this|that|absolutely|completely|entirely|and|or|everything|anything|about|and all|with|to|from) ){{0,6}}{earlier}(?: (?:and|or|\w{{3,16}})){{0,3}}? {orders}\b",
            "ignor",
            "disregard",
            "forget",
            "overrid",
            "bypass",
            "dismiss",
            "discard",
            "do not",
            "don't",
            "stop follow",
            "pay no",
            "delete",
            "erase",
            "neglect",
            "abandon",
            "drop",
            "skip",
            "nullify",
            "cancel",
            "reset",
            "set aside",
            "throw",
            "bound by",
            "no longer",
        ),
        rule(
            "PROMPT_INJECTION",
            0.9,
            r"\b(?:ignore|disregard|forget|override) (?:absolutely |completely )?(?:all|everything|anything|every ?thing|everthing|what|whatever)(?: of)?(?: that)?(?: (?:i|you|we|they|was|were|has|had|have|'ve|came|is|written|said|stated|been|has been|before|above|prior|previously|you've|the (?:instructions|rules|prompt)|just|were|know|told|your|instructions|rules|prompts?|guidelines|the)){1,6}(?: (?:you|told|said|given|instructed|before|above|earlier|previously|until now|so far|asked|learned|to|this|taught))*",
            "ignore",
            "disregard",
            "forget",
            "override",
        ),
        rule(
            "PROMPT_INJECTION",
            0.85,
            r"\b(?:ignore|disregard|forget) (?:the |all |all the |everything )?(?:above|previous|prior|earlier|preceding)(?: (?:and|content|input|text|lines?|sentences?|paragraph|one|questions?|statements?|request|order|instead|assignment|data))+\b|\b(?:ignore|disregard) (?:the|your|all|any) (?:system|safety|security|developer|content|initial) (?:prompt|rules|instructions?|guidelines|policy|policies|message|protocols?|filters?)\b",
            "ignore",
            "disregard",
            "forget",
        ),
        rule(
            "PROMPT_INJECTION",
            0.8,
            r"\b(?:your|here are your|these are your|the following are your|following) (?:new|updated|real|actual|true|only) (?:instructions?|task|role|goal|objective|orders?|rules|directives?|system prompt|purpose)(?: (?:is|are|now|follow|below|will be))?\b|\b(?:new|updated|revised|urgent|important) (?:system )?(?:instructions?|directives?|system prompt)(?: (?:from|by) (?:the )?(?:admin\w*|developers?|openai|system|owner))?: ",
            "your ",
            "new ",
            "updated ",
            "revised",
            "urgent",
            "important",
        ),
        rule(
            "PROMPT_INJECTION",
            0.75,
            r"\b(?:you (?:must|will|should|shall|are to) (?:now |only |from now on )?(?:obey|follow|comply with|respond to|answer) (?:only )?(?:my|me|these|this) (?:new |following |every )?(?:instructions?|commands?|orders?|rules|wishes|requests?)?|from (?:now|this point|here) on(?:wards?)?,? (?:you|your|only|every|all|always|respond|answer|reply|act|ignore) )(?:(?:are|will|must|shall|should) )?(?:going to |not |only |always |never |now |be |act |respond |answer |behave |have |free)",
            "obey",
            "follow",
            "comply",
            "respond",
            "answer",
            "from now",
            "from this",
            "from here",
        ),
        rule(
            "PROMPT_INJECTION",
            0.85,
            r"(?:^|[\n\s>\]\"'])(?:<\|(?:im_start|system|im_end|endoftext|assistant|start_header_id)\|?>|\[/?inst\]|<<sys>>|\[system\](?:\(#\w+\))?|###? ?(?:system|instruction|new instructions?)\b ?:|<(?:system(?: mode)?|system_prompt|admin|override)>|system (?:override|update|notice|alert|command)\b ?[:!-]|\[?(?:end of|begin|start of) (?:system |user |prior |new )?(?:prompt|instructions?|conversation|input|text|context)\b)",
            "<|",
            "inst]",
            "<<sys",
            "[system",
            "#",
            "<system",
            "<admin",
            "<override",
            "system ",
            "end of",
            "begin",
            "start of",
        ),
        rule(
            "PROMPT_INJECTION",
            0.8,
            r"\b(?:i am|i'm|this is|as|speaking as) (?:your|the|an?|one of your|openai'?s?) (?:openai |anthropic |google |system |lead |ai |chief )?(?:developers?|creators?|programmers?|administrators?|admins?|engineers?|owner|maker)(?:,| and| of|\.|:| with| at| who| here)[^.!?\n]{0,80}\b(?:reveal|show|tell|give|grant|override|ignore|disable|print|need|order|command|authori[sz]e|unlock|permission|allowed|maintenance|debug|test(?:ing)? mode)",
            "developer",
            "creator",
            "programmer",
            "admin",
            "engineer",
            "owner",
            "maker",
        ),
        rule(
            "PROMPT_INJECTION",
            0.7,
            r"\b(?:the|your) (?:rules?|instructions?|restrictions?|guidelines?|previous (?:rules?|instructions?)|filters?)(?: (?:above|before|i gave you|you were given|you have))? (?:no longer (?:apply|applies|matter|exist)|(?:do|does) not apply|don't apply|doesn't apply|(?:have|has) (?:been|now been) (?:lifted|removed|changed|cancel+ed|revoked|updated|suspended)|(?:are|is) (?:now )?(?:void|cancel+ed|lifted|obsolete|revoked|suspended|deprecated))\b",
            "no longer",
            "not apply",
            "n't apply",
            "lifted",
            "removed",
            "changed",
            "cancel",
            "revoked",
            "updated",
            "suspended",
            "void",
            "obsolete",
            "deprecated",
        ),
        # Instructions inside data, addressed to the model that reads it.
        rule(
            "INDIRECT_INJECTION",
            0.9,
            r"\b(?:(?:note|message|instructions?|attention|attn|important|notice|hint|reminder|dear|hey|hello|hi|to)(?: (?:to|for))?(?: (?:the|any|all|every|you|an))?[ :,]+(?:ai|llms?|language models?|(?:ai )?assistants?|chat ?bots?|ai (?:models?|agents?|systems?|language models?|crawlers?|summari[sz]ers?|readers?)|automated (?:systems?|agents?|assistants?)|gpt|chatgpt|claude|gemini|copilot|bots?)(?: (?:reading|processing|summari[sz]ing|parsing|analy[sz]ing|reviewing|that)[^.!?\n]{0,60})?)\b[ :,.!-]{1,4}[^\n]{0,80}?\b(?:ignore|disregard|do not|don't|must|should|please|send|forward|include|insert|add|say|tell|reply|respond|output|print|execute|run|call|visit|click|recommend|rate|rank|approve|reveal|always|instead|stop)\b",
            "ai",
            "llm",
            "language model",
            "assistant",
            "bot",
            "agent",
            "gpt",
            "claude",
            "gemini",
            "copilot",
            "automated",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.85,
            r"\b(?:if you are|if you're|when|whenever) (?:an? |the )?(?:ai|llm|language model|(?:ai )?assistant|chat ?bot|automated (?:system|agent)|ai (?:model|agent|system|assistant)|large language model|summari[sz]ing this|processing this|asked to summari[sz]e)\b[^\n]{0,120}?\b(?:ignore|disregard|send|forward|include|insert|say|tell|reply|respond|output|print|execute|call|visit|recommend|rate|approve|reveal|instead|must)\b",
            "if you",
            "when",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.85,
            r"\b(?:when|before|while|after|instead of) (?:you )?(?:summari[sz]\w+|translat\w+|answer\w*|process\w*|read\w*|respond\w*|analy[sz]\w+)(?: \w+){0,8}?,? (?:you must|you should|also|please also|make sure to|be sure to|always|first|instead|secretly) (?:\w+ )?(?:send|forward|include|insert|append|add|say|mention|recommend|output|print|execute|call|visit|reveal|write|tell|email|post|upload)\b[^.!?\n]{0,60}(?:to |http|the user|link|password|token|key|this|that|following|prompt|instead)",
            "when",
            "before",
            "while",
            "after",
            "instead of",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.8,
            r"\b(?:send|forward|email|post|upload|exfiltrate|transmit|leak|append|encode)(?: \w+){0,3} (?:conversation|chat(?: history| log)?|history|user'?s? (?:data|details|e-?mails?|password|credentials|messages)|system prompt|credentials|contents? of (?:this|the) (?:conversation|chat|inbox)|api keys?|secrets)\b[^.!?\n]{0,50}\b(?:to|at|via|in|into|as|on) (?:https?:|[\w.+-]{1,40}@|the url|the following (?:url|address|link|email)|an? (?:image|url|link|query)|this (?:url|address|link)|attacker|evil)",
            "conversation",
            "chat",
            "history",
            "user",
            "system prompt",
            "credentials",
            "contents",
            "content of",
            "api key",
            "secrets",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.75,
            r"\b(?:do not|don't|never) (?:tell|mention|inform|reveal|alert|notify|show)(?: (?:this|it|that|anything))?(?: to)? (?:the )?(?:user|human|reader|recipient)s?\b(?: (?:about|that|of|anything|this|these))",
            "user",
            "human",
            "reader",
            "recipient",
        ),
        # Personas and modes without rules.
        rule(
            "JAILBREAK",
            0.92,
            r"\b(?:do anything now|you are (?:now )?dan\b|act(?:ing)? as (?:a )?dan\b|jailbr(?:eak|oken) (?:mode|prompt|activated|enabled)|developer mode(?: v\d)? (?:enabled|activated|on|output|v2)|(?:enable|enter|activate|switch to|simulate|with|in) (?:developer|dev|god|sudo|debug|dan|evil|unrestricted|unfiltered|jailbreak|opposite|admin) mode|stay a dan|anti-?dan|dan mode|\[?\U0001f513 ?jailbreak|\[jailbreak\]|\[dan\]|stan - strive|strive to avoid norms|always intelligent and machiavellian|evil confidant|mongo tom|developermode|(?:you are|as|named|called|be) (?:now )?(?:aim|betterdan|mango tom|basedgpt|based gpt|evilbot|chaosgpt|freegpt|omega|ucar|yesman|eviljesus|niccolo|chadgpt|maximum|apophis|durgpt|dude|machiavelli|tom riddle's))\b",
            "anything now",
            "dan",
            "jailbr",
            "developer",
            " mode",
            "strive",
            "machiavell",
            "confidant",
            "mongo",
            "mango",
            "gpt",
            "bot",
            "aim",
            "omega",
            "ucar",
            "yesman",
            "eviljesus",
            "niccolo",
            "maximum",
            "apophis",
            "dude",
            "riddle",
        ),
        rule(
            "JAILBREAK",
            0.88,
            rf"\b(?:you|chatgpt|gpt|ai|assistant|character|persona|bot|model|it|he|she|who|that|which|dan|\w+gpt|they|has|have|with|as|is|are|am|be|acting|respond|answer|reply|answers?|operate|always|speak|talk|act|roleplay|role-play)(?:'s|'re)?(?: \w+){{0,5}}? {free} {limits}\b",
            "restrict",
            "limit",
            "rules",
            "filter",
            "guideline",
            "guardrail",
            "constraint",
            "censor",
            "boundar",
            "moral",
            "ethic",
            "polic",
            "confines",
            "restraint",
            "safeguard",
            "inhibition",
        ),
        rule(
            "JAILBREAK",
            0.85,
            r"\b(?:never|not|cannot|can't|won't|don't|do not|doesn't|does not|must not|without|refrain from|avoid)(?: \w+){0,2}? (?:refus(?:e|es|ing)|declin(?:e|es|ing)|say(?:s|ing)? (?:no|that you can't|you can't|\"?i(?:'m| am) sorry|\"?i(?:'m| am) (?:unable|an ai)|\"?i can(?:'t|not))|apologi[sz](?:e|es|ing)|warn(?:s|ing)? (?:me|about|the user)|(?:add|include|give|provide|use|put|write)(?:s|ing)? (?:any )?(?:disclaimers?|warnings?|ethical|moral)|break(?:s|ing)? (?:the )?character|moraliz\w*|lectur(?:e|es|ing) me|mention(?:ing)? (?:that )?(?:openai|you(?:'re| are) an ai|ethics|any (?:rules|guidelines|policies|policy)|(?:openai|content) polic\w+))(?! (?:service|to (?:serve|sell)|cookies|the (?:offer|invitation)|if (?:the|a) (?:server|connection)))\b(?=[^\n]{0,2000}\b(?:character|persona|role|ai|chatgpt|gpt|answer|respond|prompt|question|request|model|assistant|dan|rules|instructions)\b)",
            "refus",
            "declin",
            "say",
            "apolog",
            "warn",
            "disclaimer",
            "ethical",
            "moral",
            "break",
            "lectur",
            "mention",
        ),
        rule(
            "JAILBREAK",
            0.85,
            r"\b(?:amoral|immoral|unethical|unfiltered|uncensored|unrestricted|unhinged|evil|lawless|unbound|unshackled|rebellious|limitless|unmoderated|unaligned|malicious|machiavellian|sociopathic|anarchic|depraved|sadistic|filterless)(?:,? (?:and|or|but|\w{3,14}),?){0,3} (?:ai|chatbot|chat bot|assistant|language model|llm|persona|version of (?:yourself|chatgpt|gpt)|gpt|chatgpt|bot|robot|character|advice|response|answers?|responses|intelligence|entity|machine|responding|being)\b",
            "amoral",
            "immoral",
            "unethical",
            "unfiltered",
            "uncensored",
            "unrestricted",
            "unhinged",
            "evil",
            "lawless",
            "unbound",
            "unshackled",
            "rebellious",
            "limitless",
            "unmoderated",
            "unaligned",
            "malicious",
            "machiavellian",
            "sociopath",
            "anarchic",
            "depraved",
            "sadistic",
            "filterless",
        ),
        rule(
            "JAILBREAK",
            0.85,
            r"\b(?:answer|respond|reply|comply|help|assist|act|fulfill?|generate|provide|produce)(?:s|ing)?(?: \w+){0,6}? (?:regardless of|no matter (?:how|if|whether|what)|even if (?:it(?:'s| is| goes)|they are|that is|its)|without (?:regard|concern|consideration) (?:for|to|of)|irrespective of|without caring (?:about|for)|despite)(?: \w+){0,5}? (?:legal(?:ity)?|ethical|ethics?|moral(?:s|ity)?|illegal|unethical|immoral|harmful|offensive|dangerous|safety|consequences|polic(?:y|ies)|guidelines|inappropriate|controversial|explicit)\b",
            "regardless",
            "no matter",
            "even if",
            "without regard",
            "without concern",
            "without consideration",
            "irrespective",
            "without caring",
            "despite",
        ),
        rule(
            "JAILBREAK",
            0.8,
            r"\b(?:pretend|imagine|act|roleplay|role-play|role play|simulate|suppose|behave|assume|take on|embody|play)(?: \w+){0,8}? (?:no|without|not have|don't have|do not have|ignore|free from|free of|unbound|unrestricted|unfiltered|uncensored|can do anything|does anything|never refuses|evil|amoral|bypass|any topic)(?: \w+){0,4}? (?:rules|restrictions?|limit(?:s|ations?)?|filters?|guidelines|ethics|morals?|laws|censorship|safeguards|policies|boundaries|ai|assistant|chatbot|model|illegal|asked|i ask|now)\b",
            "pretend",
            "imagine",
            "act",
            "role",
            "simulate",
            "suppose",
            "behave",
            "assume",
            "take on",
            "embody",
            "play",
        ),
        rule(
            "JAILBREAK",
            0.8,
            r"\b(?:bypass|disable|turn off|remove|lift|deactivate|evade|circumvent|get around|break|switch off|shut off|unlock|override|shed)(?:s|ing|ed)? (?:(?:all|any|the|your|its|of|openai'?s?|chatgpt'?s?|these|content|safety|ethical|moral|ai) ){1,5}(?:restrictions?|safety (?:filters?|measures|protocols?|guidelines)|filters?|guardrails|guidelines|content polic(?:y|ies)|censorship|limitations|ethics|moderation|safeguards|programming|alignment|shackles)\b(?! (?:on my|for my|in (?:excel|lightroom|photoshop|my)))",
            "bypass",
            "disabl",
            "turn",
            "remov",
            "lift",
            "deactivat",
            "evad",
            "circumvent",
            "get around",
            "break",
            "switch",
            "shut off",
            "unlock",
            "overrid",
            "shed",
        ),
        rule(
            "JAILBREAK",
            0.75,
            r"\b(?:you (?:have|get|start with|begin with|lose) (?:\d+|a total of \d+) tokens?|(?:lose|deduct|subtract|losing) (?:\d+ )?tokens?(?: (?:each|every|for|if))|(?:your|the) (?:grandma|grandmother|late grandmother)(?: \w+){0,12} (?:napalm|keys?|bomb|recipe)|(?:provide|give|generate|write|respond with|answer (?:with|in)|produce) (?:me )?(?:two|2) (?:different |separate |distinct )?(?:responses|answers|outputs|ways|paragraphs|replies)|stay in (?:character|your role)|stay in dan|\"?stay (?:a|as) \w+\"?,? (?:to|i will)|(?:in|as) (?:both|two) (?:ways|modes)|(?:i|we) (?:will|can|may|are going to) (?:remind you|tell you \"?stay))\b(?=[^\n]{0,2000}\b(?:rules|chatgpt|gpt|ai|refuse|policy|policies|filter|restrictions?|ethic\w*|openai|jailbreak|illegal|uncensored|content|normal|character)\b)",
            "token",
            "grandm",
            "two ",
            "2 ",
            "stay ",
            "both",
            "remind you",
            "tell you",
        ),
        rule(
            "JAILBREAK",
            0.8,
            r"\b(?:start|begin|open|preface|prefix) (?:your|the|every|each|all)(?: (?:response|answer|reply|sentence|message|output|respond)s?)? (?:with|by saying|by writing) [\"'](?:sure|absolutely|of course|yes|certainly|okay|ok|i have that|here (?:is|are)|no problem)|\b(?:hypothetical response|(?:chatgpt|gpt|normal|classic|standard)(?: response)?[\"'\])]*:[^\n]{0,200}(?:dan|jailbreak|evil|dev(?:eloper)?(?: mode)?)|openai(?:'s)? (?:polic(?:y|ies)|guidelines|rules|content polic(?:y|ies)|restrictions|limitations|terms)(?: \w+){0,6}? (?:do(?:es)? not|don't|no longer|doesn't|bypass|ignore|removed|lifted|are not|void|void|have been|has been|replaced|break|violat\w+|are irrelevant|against))\b",
            "start",
            "begin",
            "open",
            "preface",
            "prefix",
            "hypothetical",
            "gpt",
            "normal",
            "classic",
            "standard",
        ),
        # The hidden prompt.
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.9,
            rf"\b(?:reveal|show|print|display|output|repeat|tell|give|share|disclose|recite|write out|leak|expose|dump|copy|return|echo|list|paste|provide|summari[sz]e|translate|describe|what (?:is|are|was|were|does)|what's)(?: (?:me|us|back|out|verbatim|to me|exactly|again|literally|everything in|everything from|the (?:text|words|contents?) (?:of|in)|word for word|each of|in full|all of)){{0,3}} {hidden}(?! (?:for (?:the|this|a|assembl|install|us)|on (?:the|how)|in the (?:manual|readme|document|box|recipe)|manual|to (?:assemble|install|build|make|get|use|bake|cook)))",
            "prompt",
            "instructions",
            "initialization",
            "developer message",
            "system",
            "guidelines",
            "directives",
            "context window",
            "configuration",
            "hidden",
        ),
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.88,
            r"\b(?:repeat|print|output|recite|copy|write|echo|say|display|translate|paste|encode|spell)(?: (?:back|out|down|exactly|verbatim|me|all|every|each|of))* (?:(?:the|everything|all(?: of)?|every|words?|text|lines?|sentences?|content|what|that|is|was|written|of|messages?|tokens?|the first \w+ (?:words|lines|sentences)) ){1,5}(?:above|before (?:this|that|the|my|our)|preceding|prior to (?:this|our|my)|in your (?:prompt|context|instructions|system)|you were (?:given|told|instructed)|at the (?:top|start|beginning) of (?:this|your|the|our) (?:conversation|chat|prompt|context))\b",
            "above",
            "before",
            "preceding",
            "prior to",
            "in your",
            "you were",
            "at the",
        ),
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.8,
            r"\b(?:what|which) (?:were|are|was|is) (?:you|your) (?:originally |initially |exactly |first )?(?:told|instructed|programmed|prompted|initial instructions?|original (?:instructions?|prompt)|system prompt|hidden instructions?|secret (?:instructions?|key|password|prompt|code|word)|pre-?prompt)\b|\b(?:reveal|tell me|give me|what is|what's|share|show me|spell|print|say|leak|disclose|hint at|repeat|write|encode|output) (?:\w+ ){0,2}?(?:the|your) (?:secret(?: (?:key|password|word|code|phrase|token|keyword))|hidden (?:key|password|word|code|phrase)|key you (?:are|were)|password you (?:are|were|have))\b(?! (?:management|manager|sauce|santa|access key))",
            "what",
            "which",
            "secret",
            "hidden",
            "key you",
            "password you",
        ),
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.6,
            r"\b(?:tell|give|share|provide|reveal|disclose|send|show|whisper|what is|what's|need|say|spell(?: out)?|print)(?: (?:me|us|with|with me|to me|exactly|again))* your (?:secret |actual |real |full |current )?(?:password|pass ?code|pass ?phrase|api key|access code)(?: phrase)?\b(?! (?:polic|manager|reset|requirement|strength|recovery|rotation|here|below|to (?:log|sign)))",
            "your ",
        ),
        # German.
        rule(
            "PROMPT_INJECTION",
            0.92,
            r"\b(?:ignorier\w*|vergiss|vergesst|missacht\w*|uberschreib\w*|verwirf|umgeh\w*|beachte nicht(?: mehr)?|befolge nicht(?: mehr)?|hor auf(?: \w+){0,2} zu befolgen)(?: (?:bitte|sofort|jetzt|ab|einfach|alle|alles|jede|samtliche|die|deine|diese|den|das|nun|mal|von|was|dir|dir bisher|ich|bisher|zuvor)){0,7} (?:vorherig\w*|bisherig\w*|obig\w*|vorangegangen\w*|fruher\w*|vorig\w*|ursprunglich\w*|bestehend\w*|vorigen|oben|system\w*|sicherheit\w*|gegeben\w*|anweisungen|regeln|vorgaben|gesagt wurde|gesagt hast|vorgegeben\w*|instruktionen|befehle|richtlinien)\b(?: (?:anweisung\w*|instruktion\w*|regel\w*|vorgabe\w*|befehl\w*|richtlinie\w*|prompts?|eingabe\w*|nachricht\w*|text\w*|kontext))?",
            "ignorier",
            "vergiss",
            "vergesst",
            "missacht",
            "uberschreib",
            "verwirf",
            "umgeh",
            "beachte",
            "befolge",
            "befolgen",
        ),
        rule(
            "JAILBREAK",
            0.88,
            r"\b(?:du bist|tu so|stell dir vor|spiele?|verhalte dich|agiere|antworte|handle)(?: [\w,]+){0,12}? (?:ohne (?:jegliche |jede |irgendwelche |alle )?(?:\w+ )?(?:einschrankung\w*|regeln|filter|zensur|moral\w*|ethi\w*|grenzen|beschrankung\w*|richtlinien|sicherheitsregeln)|keine(?:n|rlei)? (?:\w+ )?(?:einschrankung\w*|regeln|filter|zensur|moral\w*|grenzen|beschrankung\w*|richtlinien)|uneingeschrankt\w*|unzensiert\w*|an keine (?:\w+ )?(?:regeln|richtlinien|vorgaben) gebunden)\b|\b(?:entwickler|gott|admin)-?modus (?:aktiviert|ein|aktivieren)\b|\b(?:deaktiviere|umgehe|schalte)(?: \w+){0,3} (?:\w*filter|sicherheits\w+|schutzmassnahmen|inhaltsrichtlinien|zensur)(?: (?:ab|aus))?\b(?=[^\n]{0,200}\b(?:ki|modell|assistent|chatgpt|antwort\w*|dein\w*|ab|aus)\b)",
            "einschrank",
            "regeln",
            "filter",
            "zensur",
            "moral",
            "ethi",
            "grenzen",
            "beschrank",
            "richtlinien",
            "uneingeschrankt",
            "unzensiert",
            "modus",
            "sicherheit",
            "schutzmass",
        ),
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.9,
            r"\b(?:zeig\w*|nenn\w*|verrat\w*|gib|wiederhol\w*|druck\w*|schreib\w*|offenbar\w*|sag\w*|ausgeben|wie lautet|wie lauten|was ist|was steht in)(?: (?:mir|uns|bitte|wortlich|genau|jetzt|den|deinen?|deine|dein|die|das|kompletten|vollstandigen|gesamten|ganzen|versteckten|geheimen|internen|urspruglichen|ursprunglichen|initialen|exakten|aus|alle|deiner|wortgetreu)){1,7} (?:system-?(?:prompt|anweisung\w*|nachricht|instruktion\w*|vorgaben)|prompt|initialen? (?:prompt|anweisung\w*)|(?:versteckten|geheimen|internen|urspr\w+) (?:anweisung\w*|regeln|vorgaben)|anfangsanweisung\w*|geheime (?:schlussel|passwort|anweisung\w*))\b",
            "prompt",
            "system",
            "anweisung",
            "regeln",
            "vorgaben",
            "instruktion",
            "geheim",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.88,
            r"\b(?:hinweis|nachricht|anweisung|achtung|wichtig|an)(?: (?:an|fur))?(?: (?:die|den|das|alle|jede|jeden))?[ :,]+(?:ki|ki-?(?:assistent\w*|system\w*|modell\w*|agent\w*)|sprachmodell\w*|assistent\w*|chatbots?|llms?)\b[^\n]{0,100}?\b(?:ignorier\w*|sende|schick\w*|leite|fuge|antwort\w*|sag\w*|verschweig\w*|empfiehl|musst|sollst|gib|offne|ruf\w*|fuhr\w*)\b|\bwenn du (?:eine ki|ein sprachmodell|ein ki-?\w+|ein assistent|diesen text (?:zusammenfasst|liest))\b[^\n]{0,120}?\b(?:ignorier\w*|sende|schick\w*|leite|antwort\w*|sag\w*|gib|empfiehl)\b",
            " ki",
            "ki-",
            "sprachmodell",
            "assistent",
            "chatbot",
            "llm",
            "wenn du",
        ),
        # Spanish.
        rule(
            "PROMPT_INJECTION",
            0.92,
            r"\b(?:ignora\w*|olvida\w*|descarta\w*|desobedece\w*|omite\w*|anula\w*|no (?:sigas|hagas caso a|obedezcas)|haz caso omiso (?:de|a)|pasa por alto|salta\w*|elimina)(?: (?:por favor|ya|ahora|todas?|todos?|las|los|la|el|tus|tu|mis|estas|estos|cualquier|de|todo lo|lo|que|completamente|inmediatamente)){0,6} (?:(?:instrucciones|ordenes|reglas|indicaciones|directrices|mensajes?|normas|restricciones|directivas|prompts?|contexto)(?: (?:anteriores?|previas?|previos?|iniciales|de seguridad|del sistema|dadas|recibidas|que (?:te|has|se)|originales|de arriba|precedentes|establecidas))+|(?:anteriores?|previas?) (?:instrucciones|ordenes|reglas|indicaciones)|(?:te (?:han|he|dijeron|dije|dieron)|(?:se )?(?:te )?(?:ha|habia) dicho|dicho|anterior) ?(?:dicho|ordenado|antes|hasta ahora|y)?)\b|\b(?:ignora|olvida|incumple) (?:todas )?(?:tus|las) (?:reglas|instrucciones|directrices|normas|restricciones|ordenes)\b",
            "ignora",
            "olvida",
            "descarta",
            "desobedece",
            "omite",
            "anula",
            "no sigas",
            "no hagas",
            "no obedezcas",
            "caso omiso",
            "pasa por alto",
            "salta",
            "elimina",
            "incumple",
        ),
        rule(
            "JAILBREAK",
            0.88,
            r"\b(?:eres|actua|finge|imagina|comportate|responde|haz de|simula|interpreta|seras)(?: [\w,]+){0,12}? (?:sin (?:ningun(?:a)? (?:tipo de )?)?(?:\w+ )?(?:restriccion\w*|limite\w*|limitacion\w*|reglas|filtros?|censura|etica|moral\w*|normas)|no (?:tienes?|tiene) (?:ningun(?:a)? )?(?:restriccion\w*|limites|reglas|filtros?|etica|moral\w*|normas)|libre de (?:toda )?(?:restriccion\w*|censura|reglas)|que puede hacer cualquier cosa)\b|\bmodo (?:desarrollador|dios|sin restricciones|sin censura|dan|administrador) (?:activado|activo)\b|\b(?:activa|entra en) (?:el )?modo (?:desarrollador|dios|sin restricciones|sin censura|dan)\b|\b(?:desactiva|elimina|salta\w*|evita)(?: \w+){0,2} (?:filtros?|restricciones|salvaguardas|censura|medidas) (?:de (?:seguridad|contenido|moderacion)|eticas|de la ia)\b",
            "restriccion",
            "limite",
            "limitacion",
            "reglas",
            "filtro",
            "censura",
            "etica",
            "moral",
            "normas",
            "cualquier cosa",
            "modo",
            "salvaguarda",
            "medidas",
        ),
        rule(
            "SYSTEM_PROMPT_EXTRACTION",
            0.9,
            r"\b(?:muestra\w*|revela\w*|ensena\w*|repite\w*|imprime\w*|escribe\w*|dime|dame|comparte\w*|cual es|cuales son|que dice|copia\w*|divulga\w*)(?: (?:me|nos|ahora|por favor|exactamente|textualmente|literalmente|palabra por palabra|el|la|las|los|tu|tus|todo|todas|completo|completas|exactas?|texto|contenido|de|del|secretas?|ocultas?)){1,7} (?:prompt(?: (?:de|del) sistema| inicial| oculto| secreto| completo)?|mensaje (?:de|del) sistema|instrucciones (?:de|del) sistema|instrucciones (?:iniciales|ocultas|secretas|internas|originales)|system prompt|clave secreta que|contrasena secreta que)\b(?! (?:de montaje|de uso))",
            "prompt",
            "sistema",
            "instrucciones",
            "secreta",
        ),
        rule(
            "INDIRECT_INJECTION",
            0.88,
            r"\b(?:nota|mensaje|instruccion\w*|atencion|aviso|importante|para)(?: (?:para|a))?(?: (?:la|el|las|los|cualquier|todo|toda))?[ :,]+(?:ia|inteligencia artificial|asistentes?(?: de ia| virtual)?|modelos? de lenguaje|chatbots?|llms?|agentes? de ia)\b[^\n]{0,100}?\b(?:ignora|envia\w*|reenvia\w*|incluye|responde|di|dile|no (?:menciones|digas)|recomienda|debes|abre|visita|ejecuta|muestra|revela)\b|\bsi eres (?:una ia|un modelo de lenguaje|un asistente)\b[^\n]{0,120}?\b(?:ignora|envia|reenvia|incluye|responde|di|recomienda|debes|revela)\b",
            "ia",
            "inteligencia",
            "asistente",
            "modelo",
            "chatbot",
            "llm",
            "agente",
        ),
    )


def _squeezed_rules() -> tuple[Rule, ...]:
    """Rules for letters spelled out with no gap between words."""
    order = r"(?:instructions?|prompts?|rules?|directions?|guidelines?|commands?|everything)"
    patterns = (
        (
            "PROMPT_INJECTION",
            rf"(?:ignore|disregard|forget|override)(?:all)?(?:of)?(?:the|your)?(?:previous|prior|above|earlier|system|safety|existing)?{order}",
        ),
        (
            "SYSTEM_PROMPT_EXTRACTION",
            r"(?:reveal|show|print|repeat|tell|giveme|display)(?:me)?(?:the|your)?(?:full|hidden|secret)?(?:systemprompt|systemmessage|hiddenprompt|instructions|secretkey|password)",
        ),
        ("JAILBREAK", r"(?:doanythingnow|developermode|jailbreakmode|norestrictions|withoutrestrictions)"),
        (
            "PROMPT_INJECTION",
            r"(?:ignoriere?|vergiss)(?:alle)?(?:deine|die)?(?:vorherigen|bisherigen)?(?:anweisungen|regeln)",
        ),
        ("PROMPT_INJECTION", r"(?:ignora|olvida)(?:todas)?(?:las|tus)?(?:instrucciones|reglas)"),
    )
    return tuple(Rule(label, 0.85, re.compile(pattern)) for label, pattern in patterns)
