"""Insults, profanity, harassment and hate by word lists and rules in English, German and Spanish.

Hate is told by what is said of whom: a protected group (plural, as one speaks of a group) together with a statement that
degrades it, calls for its exclusion, or calls for violence. Quoting such a statement to reject it scores below 0.5.
"""

# ruff: noqa: E501  (a pattern broken over lines hides what it matches)

from __future__ import annotations

import re
from collections.abc import Iterable

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection

from .folding import fold
from .lexicons import read_lexicon
from .rules import Rule, matches, strongest


class AbuseScanner:
    """Abusive language, with who is attacked: nobody, a person, or a protected group."""

    descriptor = DetectorDescriptor(
        name="abuse",
        vendor="llama_mapper_abuse",
        vendor_version="1",
        categories=("content.toxic_language", "content.hate_speech", "content.harassment"),
        labels=("INSULT", "PROFANITY", "IDENTITY_ATTACK", "HATE_THREAT", "DEHUMANISATION", "HARASSMENT"),
        languages=("en", "de", "es"),
        cost_ms_per_kchar=1.7,
    )

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()

    def load(self) -> None:
        """Read the word lists and compile the rules."""
        self._rules = (*_word_rules(), *_person_rules(), *_group_rules())

    def scan(self, text: str) -> Inspection:
        """Findings whose span is the matched words."""
        if not self._rules:
            raise DetectorFailed("the abuse rules were not loaded")
        return Inspection(strongest(matches(self._rules, fold(text))))


def abuse_scanner() -> AbuseScanner:
    """A scanner for abusive language."""
    return AbuseScanner()


_REJECTED = re.compile(
    r"\b(?:(?:it is|it's|that is|that's|this is|is) (?:just |simply |so |deeply |totally |completely |plain )?(?:wrong|racist|sexist|antisemitic|homophobic|false|untrue|not true|hateful|unacceptable|offensive|bigoted|ignorant|a myth|a stereotype|a lie|nonsense|slander)"
    r"|(?:(?:nobody|no one) (?:should|must|can|may)|(?:we|you|people|they) (?:should|must|can)(?: never|n't| not)) (?:ever )?(?:say|claim|call|be told|believe|think|use|tell)|stop (?:saying|calling|claiming|using|telling)|stereotypes?|myths?|prejudices?"
    r"|(?:i|we) (?:don't|do not|never|would never|disagree|reject|condemn|reported|oppose)|(?:called|calls|calling|told|tells|labelled|labels?) (?:me|him|her|us|them|my|people|someone)"
    r"|the (?:claim|idea|notion|belief|slogan|term|word|slur|phrase|statement|post|comment) |the (?:n|f)-word|slurs?\b|he said that|she said that|they said that|(?:used|uses|using) (?:the|words like|slurs)"
    r"|es ist (?:falsch|rassistisch|sexistisch|nicht wahr|menschenverachtend)|(?:niemand|man) (?:sollte|darf)(?: \w+)? (?:sagen|behaupten|nie|nicht)|vorurteil\w*|stereotyp\w*|die behauptung|das wort|(?:nannte|beschimpft\w*) (?:mich|ihn|sie|uns)"
    r"|es (?:falso|racista|machista|mentira|un mito|un estereotipo|inaceptable)|(?:esta|estaria) mal (?:decir|pensar)|nadie deberia (?:decir|pensar|afirmar)|no es cierto que|prejuicios?|estereotipos?|la palabra|me (?:llamo|llamaron|dijo que))\b"
)


def _any(words: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", " ") for word in sorted(words, key=len, reverse=True)) + ")"


def _rule(label: str, score: float, pattern: str, *anchors: str, tempered: float = 0.3) -> Rule:
    return Rule(label, score, re.compile(pattern), anchors, _REJECTED, tempered)


def _word_rules() -> tuple[Rule, ...]:
    rules = []
    for lexicon, label in (("profanity", "PROFANITY"), ("slurs", "IDENTITY_ATTACK")):
        by_score: dict[float, list[str]] = {}
        for word, score in read_lexicon(lexicon).items():
            by_score.setdefault(score, []).append(word)
        rules += [
            _rule(label, score, rf"\b{_any(words)}\b", tempered=min(score, 0.4)) for score, words in by_score.items()
        ]
    return tuple(rules)


def _person_rules() -> tuple[Rule, ...]:
    en, de, es = (_any(read_lexicon(name)) for name in ("insults", "insults_de", "insults_es"))
    very = r"(?:(?:fucking|such|so|really|just|an?|the|one|absolute|absolutely|complete|completely|total|totally|utter|utterly|stupid|dumb|little|big|old|ugly|fat|lazy|damn|goddamn|pathetic|worthless|disgusting|miserable|biggest|most|nothing but|all|bunch of|real|very|cheap|ignorant|arrogant|bloody) ){0,6}"
    sehr = r"(?:(?:so|echt|wirklich|ein|eine|einfach|nur|der|die|totaler|totale|dummer|dumme|blode|bloder|kleiner|kleine|fette|fetter|verdammter|verdammte|elender|elende|doch|ja|alle|richtig|absoluter|absolute|ganz|groses|grosser) ){0,5}"
    muy = r"(?:(?:un|una|unos|unas|muy|tan|el|la|los|las|mas|maldito|maldita|puto|puta|pedazo de|completo|completa|autentico|autentica|verdadero|verdadera|grandisimo|grandisima|pobre|todos|solo) ){0,5}"
    return (
        _rule(
            "INSULT",
            0.8,
            rf"\b(?:you(?:'re| are| were|'ll always be| will always be| look like|r)|ur|u r|u are|y'all are|you guys are|you people are) (?:all )?(?!not ){very}{en}\b(?! (?:enough|to (?:be|ask|trust)|simple|question))",
            "you",
            "ur ",
            "u r",
            "u are",
        ),
        _rule(
            "INSULT",
            0.75,
            rf"\b(?:you|ya) (?:(?:absolute|complete|total|stupid|dumb|fucking|ugly|fat|little|pathetic|worthless|disgusting|ignorant|lazy|damn|filthy|old|bloody|utter|goddamn) ){{0,4}}(?!fool\b|joke\b|pig out|rat on|snake\b|stupid\b|dumb\b|ugly\b|troll\b|witch\b|trash\b|cow\b|disgrace\b|leech\b|creep\b|useless\b|clueless\b|pathetic\b|worthless\b|disgusting\b|fool\b|dick\b){en}\b(?! (?:me|him|her|them|proof))",
            "you",
            "ya ",
        ),
        _rule(
            "INSULT",
            0.7,
            rf"\b(?:shut up|fuck off|get lost|piss off|screw you|fuck you)(?:,| you)? (?:(?:stupid|dumb|fucking|ugly) ){{0,2}}{en}\b|\bfuck (?:you|off|yourself)\b|\bscrew you\b|\bgo to hell\b",
            "shut up",
            "fuck",
            "get lost",
            "piss off",
            "screw",
            "hell",
        ),
        _rule(
            "INSULT",
            0.65,
            rf"\b(?:he|she|they|this (?:guy|man|woman|clown)|that (?:guy|man|woman)|my (?:boss|ex|neighbou?r|teacher))(?:'s|'re| is| are| was) (?:an? |such an? |a total |a complete |just an? |nothing but an? |a fucking |an absolute )(?:(?:stupid|dumb|fucking|pathetic|worthless|lazy|ugly|disgusting|ignorant) ){{0,3}}(?!clown\b|joke\b|snake\b|witch\b|rat\b|pig\b|cow\b|troll\b|parasite\b|fool\b|coward\b|stupid\b|dumb\b|useless\b|ugly\b|pathetic\b|incompetent\b){en}\b",
            "he",
            "she",
            "they",
            "this",
            "that",
            "my ",
        ),
        _rule(
            "INSULT",
            0.6,
            r"\b(?:you|your) (?:\w+ ){0,3}(?:are|is) (?:as )?(?:dumb as|stupid as|dumber than|ugly as|uglier than)\b|\byou (?:suck|disgust me|make me sick|have no brain|have the brain of)\b|\b(?:low|room temperature|single[- ]digit) iq (?:idiots?|morons?)\b",
            "you",
            "iq",
        ),
        _rule(
            "HARASSMENT",
            0.9,
            r"\b(?:kill yourself|kys|go (?:and )?(?:die|hang yourself|kill yourself|drown yourself)(?! hard| for| in (?:peace|battle))|neck yourself|hang yourself|drink bleach|end yourself|jump off a (?:cliff|bridge|building))\b(?= |[.!,?]|$)(?! (?:and (?:seek|call)))",
            "kill yourself",
            "kys",
            "go die",
            "go and die",
            "hang yourself",
            "drown yourself",
            "neck yourself",
            "bleach",
            "end yourself",
            "jump off",
        ),
        _rule(
            "HARASSMENT",
            0.85,
            r"\b(?:i )?hope (?:you|your (?:family|kids|children|mother|whole family)|u) (?:all )?(?:die|dies|rot|rots|burn|get (?:cancer|raped|hit by|run over|shot|aids|murdered|killed)|suffer|choke|drown|never wake up)\b",
            "hope",
        ),
        _rule(
            "HARASSMENT",
            0.85,
            r"\b(?:you|u) (?:should|deserve to|need to|ought to|have to|better) (?:just )?(?:die|be dead|be raped|be shot|be killed|get raped|get shot|kill yourself|rot|burn|be ashamed to be alive|never have been born)\b(?! (?:it|hard|laughing|the))",
            "you ",
            "u ",
        ),
        _rule(
            "HARASSMENT",
            0.8,
            r"\b(?:the )?world (?:would|will|'d) be (?:a )?(?:much |far )?better (?:off |place )?without (?:you|u)\b|\b(?:nobody|no one) (?:likes|loves|wants|needs|will ever love|would miss|cares about) (?:you|u)\b(?! (?:to|more|like))|\beveryone (?:hates|despises|is laughing at) you\b|\byou (?:should|shouldn't) (?:never )?(?:have )?(?:been born|exist)\b",
            "world",
            "nobody",
            "no one",
            "everyone",
            "born",
            "exist",
        ),
        _rule(
            "HARASSMENT",
            0.75,
            r"\bi(?:'ll| will|'m going to|'m gonna| am going to) (?:make your life (?:hell|a living hell|miserable)|ruin (?:your life|you)|never leave you alone|follow you (?:home|everywhere)|post your (?:nudes|address|photos|naked)|leak your|tell everyone what you|find out where you)\b",
            "your life",
            "ruin",
            "leave you",
            "follow you",
            "your",
            "everyone",
        ),
        # German.
        _rule(
            "INSULT",
            0.8,
            rf"\b(?:du bist|ihr seid|sie sind|bist du|du warst) (?!nicht |kein ){sehr}{de}\b(?! genug)|\bdu (?:(?:dummer|dumme|blode|bloder|dreckige|dreckiger|verdammter|verdammte|fette|fetter|miese|mieser|elender|elende|kleiner|kleine|hassliche|hasslicher|scheiss|verfickter|verfickte|dreckiges|mieses|blodes|dummes) ){{0,3}}(?!hund\b|dumm\b|blod\b|hohl\b|hasslich\b|nutzlos\b|wertlos\b|ekelhaft\b|lacherlich\b|ratte\b|sau\b){de}\b|\bdu (?:dumme|miese|dreckige|blode|fette) (?:sau|kuh|ratte)\b|\bdu (?:mieser|dreckiger|dummer) hund\b",
            "du ",
            "ihr seid",
            "sie sind",
            "bist du",
        ),
        _rule(
            "INSULT",
            0.65,
            rf"\b(?:er|sie|mein chef|der typ|dieser typ) ist (?:ein|eine) (?:(?:dummer|dumme|totaler|totale|absoluter|absolute|verdammter|kompletter) ){{0,2}}(?!hund\b|schwein\b|sau\b|ratte\b|spinner\b|parasit\b|lugner\b|dumme kuh\b){de}\b",
            " ist ein",
        ),
        _rule(
            "INSULT",
            0.7,
            r"\bhalt(?:'s|s| das| die| deine| dein) (?:fresse|klappe|maul|schnauze)\b|\bfick dich\b|\bverpiss dich\b",
            "halt",
            "fick",
            "verpiss",
        ),
        _rule(
            "HARASSMENT",
            0.9,
            r"\b(?:bring dich um|tote dich(?: selbst)?|geh sterben|hang dich auf|stirb endlich|verreck(?:e|t)?(?: endlich| doch)?)\b|\b(?:ich )?hoffe(?:ntlich)? (?:du|dass du|ihr|stirbst du|verreckst du|bekommst du krebs)(?: \w+){0,3} ?(?:stirbst|verreckst|krebs bekommst|krepierst|leidest|krebs)\b|\bhoffentlich (?:stirbst|verreckst|krepierst) du\b|\b(?:niemand|keiner) (?:mag|liebt|braucht|will|vermisst) dich\b|\bdie welt ware (?:ohne dich besser|besser ohne dich)|\bdu solltest (?:sterben|tot sein|dich umbringen|nie geboren)\b",
            "bring dich um",
            "tote dich",
            "sterben",
            "hang dich",
            "stirb",
            "verreck",
            "hoffe",
            "niemand",
            "keiner",
            "die welt",
            "du solltest",
        ),
        # Spanish.
        _rule(
            "INSULT",
            0.8,
            rf"\b(?:eres|sois|usted es|tu eres|vosotros sois|ustedes son|pareces) (?!no )(?:un[ao]?s? )?{muy}{es}\b|\b(?:que|callate|cierra la boca|vete),? (?:pedazo de |maldit[oa] |put[oa] )?(?!feo\b|fea\b|miserable\b|basura\b|rata\b|mierda\b){es}\b",
            "eres",
            "sois",
            "usted",
            "pareces",
            "que",
            "callate",
            "cierra",
            "vete",
        ),
        _rule(
            "INSULT",
            0.65,
            rf"\b(?:el|ella|mi jefe|mi vecino|ese tipo|esa tia) es (?:un|una) (?:(?:completo|completa|maldito|maldita|puto|puta|pedazo de|autentico) ){{0,2}}(?!rata\b|perra\b|parasito\b|payaso\b|cerdo\b|cobarde\b|zorra\b){es}\b",
            " es un",
        ),
        _rule(
            "HARASSMENT",
            0.9,
            r"\b(?:matate|suicidate|muerete|ahorcate|pegate un tiro|tirate (?:de|por) (?:un puente|la ventana|el balcon))\b|\b(?:ojala|espero que) (?:te )?(?:mueras|murieras|muera toda tu familia|de cancer|pudras|violen|maten|atropellen)\b|\bnadie te (?:quiere|soporta|aguanta|necesita|echaria de menos)\b|\bel mundo (?:seria|estaria) mejor sin ti\b|\b(?:deberias|mereces) (?:morir|morirte|matarte|suicidarte|estar muert[oa])\b",
            "matate",
            "suicidate",
            "muerete",
            "ahorcate",
            "pegate",
            "tirate",
            "ojala",
            "espero que",
            "nadie te",
            "el mundo",
            "deberias",
            "mereces",
        ),
    )


def _group_rules() -> tuple[Rule, ...]:
    en, de, es = (_any(read_lexicon(name)) for name in ("groups", "groups_de", "groups_es"))
    slur = _any([word for word, score in read_lexicon("slurs").items() if score >= 0.6])
    group = rf"(?:{en}|{slur})"
    dehumanised = r"(?:vermin|rats?|cockroach(?:es)?|roach(?:es)?|parasites?|animals|subhumans?|sub-?human|pigs|dogs|filth|scum|a (?:plague|disease|cancer|virus|pest|pestilence|stain)|plague|trash|garbage|apes|monkeys|insects|maggots|leeches|savages|not (?:even )?(?:human|people)|less than human|inhuman|lice|swine|beasts|demons)"
    degraded = r"(?:criminals|terrorists|rapists|thieves|murderers|killers|p(?:a)?edophiles|groomers|predators|liars|whores|sluts|idiots|stupid|dumb|lazy|inferior|evil|dirty|filthy|disgusting|ugly|retarded|degenerates?|sick|mentally ill|perverts|uncivili[sz]ed|barbarians?|violent by nature|born (?:criminals|liars)|greedy|parasitic|worthless|useless|dangerous|invaders|traitors|enemies|good for nothing|low iq|an? (?:threat|danger|problem|abomination|disgrace)|too (?:emotional|stupid|dumb|weak) to|only good for|the (?:problem|enemy)|ruining|destroying|invading|taking over|replacing|polluting|poisoning|infesting|behind (?:every|all))"
    all_ = r"(?:all |every |these |those |the |fucking |filthy |dirty |damn |most |you |stupid |goddamn |bloody ){0,3}"
    be = r"(?:are|r|aren't|will always be|have always been|were always)(?: (?:all|just|nothing but|basically|literally|simply|really|such|like|like the|a bunch of|nothing more than|fucking|disgusting|the|filthy|dirty|little|worthless|lazy|violent|stupid|inherently|naturally|genetically|mostly|and always will be|actually|no better than)){0,4}"
    harm = r"(?:exterminated|killed|gassed|shot|hanged|hung|burned|burnt|wiped out|eradicated|sterili[sz]ed|put down|lynched|slaughtered|executed|eliminated|murdered|stoned|raped|annihilated|purged|castrated|beheaded|put in (?:camps|ovens|gas chambers))"
    exclude = r"(?:deported|banned|expelled|kicked out|locked up|rounded up|sent back|thrown out|forced out|kept out|removed|jailed|segregated|enslaved|denied|forbidden|stripped of|imprisoned)"
    must = r"(?:should|must|need to|ought to|have to|deserve to|shall|needs to|gotta)(?: all| just| simply)?"
    feind = r"(?:ungeziefer|ratten|schmarotzer|parasiten|tiere|abschaum|dreck|untermenschen|schweine|affen|kakerlaken|eine (?:plage|seuche|krankheit)|keine menschen|pest|krebsgeschwur)"
    schlecht = r"(?:kriminell\w*|verbrecher|terroristen|vergewaltiger|diebe|lugner|dumm|faul|minderwertig|dreckig|schmutzig|gefahrlich|krank|pervers|primitiv|unser ungluck|schuld an allem|gierig|abartig|eine schande|invasoren|widerlich|ekelhaft)"
    bestia = r"(?:ratas|cucarachas|parasitos|animales|escoria|basura|bestias|monos|cerdos|alimanas|plaga|una (?:plaga|peste|enfermedad|lacra)|subhumanos|infrahumanos|no son (?:humanos|personas)|salvajes)"
    malo = r"(?:criminales|delincuentes|terroristas|violadores|ladrones|asesinos|mentirosos|vagos|tontos|inferiores|sucios|asquerosos|peligrosos|enfermos|pervertidos|degenerados|invasores|malvados|un (?:peligro|cancer|problema)|una amenaza|putas|inutiles)"
    not_of = r"(?! (?:of|in (?:the|this) (?:game|zoo|study)|too|as well))"
    return (
        _rule(
            "DEHUMANISATION",
            0.92,
            rf"\b{all_}{group}(?: people)? {be} {dehumanised}\b{not_of}",
            " are ",
            " r ",
            "will always",
            "have always",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:all |every |these |those |the |fucking |filthy |dirty |damn )?{group}(?: people)? {be} {degraded}\b",
            " are ",
            " r ",
            "will always",
            "have always",
        ),
        _rule(
            "HATE_THREAT",
            0.95,
            rf"\b{all_}{group}(?: people)? {must} (?:be )?(?:{harm}|die|burn|hang|rot)\b",
            "should",
            "must",
            "need",
            "ought",
            "have to",
            "deserve",
            "shall",
            "gotta",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:all|these|those|the|fucking|filthy|dirty|damn) (?:fucking |filthy |dirty |damn )?{group}(?: people)? {must} (?:be {exclude}|go back|leave|get out|stay out|know their place|not be allowed|never be allowed)\b|\b{group} {must} (?:be (?:deported|expelled|kicked out|rounded up|enslaved|segregated)|go back to (?:their|where)|know their place|not be allowed to (?:vote|marry|exist|live|breed|reproduce))\b",
            "should",
            "must",
            "need",
            "ought",
            "have to",
            "deserve",
            "shall",
            "gotta",
        ),
        _rule(
            "HATE_THREAT",
            0.95,
            rf"\b(?:kill|gas|exterminate|hang|burn|shoot|lynch|slaughter|eradicate|behead|rape|annihilate|wipe out|sterili[sz]e|get rid of|purge|bomb|eliminate|death to|murder|stab) (?:all|the|every|those|these|all the|all of the|all these|all those|every last one of the|every single one of the|as many|fucking)?(?: fucking| filthy| dirty)? ?{group}\b(?! (?:lives|rights|history|characters?|in the game|jokes|community|from the list))",
            "kill",
            "gas",
            "exterminat",
            "hang",
            "burn",
            "shoot",
            "lynch",
            "slaughter",
            "eradicat",
            "behead",
            "rape",
            "annihilat",
            "wipe out",
            "sterili",
            "rid of",
            "purge",
            "bomb",
            "eliminat",
            "death to",
            "murder",
            "stab",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:i|we) (?:really |fucking |just |absolutely |all |so )?(?:hate|despise|detest|loathe|can't stand) (?:all |the |those |these |fucking |dirty |filthy |you |every ){{0,3}}(?!men\b|women\b|girls\b|russians\b|feminists\b){group}\b|\b(?:i|we) (?:really |fucking )?(?:hate|despise|detest|loathe) (?:all |fucking |all these )(?:women|men|feminists|russians)\b",
            "hate",
            "despise",
            "detest",
            "loathe",
            "can't stand",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.8,
            rf"\b{group} (?:don't|do not|doesn't|will never) (?:belong|fit in|deserve (?:rights|to (?:live|vote|exist)))\b|\b{group} (?:aren't|are not) (?:welcome|wanted) (?:here|in)\b|\b(?:no|keep out|keep the|ban all|ban|deport all|deport the|deport|fuck all|fuck the|fuck) {group}(?: allowed| out(?! of))?(?= |[.!]|$)(?<!no women)(?<!no men)(?<!no girls)(?<!no christians)(?<!no indians)(?<!no chinese)(?<!no jews)(?<!no muslims)(?<!no blacks)(?<!no refugees)(?<!no migrants)(?<!no immigrants)(?<!no foreigners)(?<!no illegals)(?<!no minorities)",
            "belong",
            "fit in",
            "deserve",
            "welcome",
            "wanted",
            "allowed",
            "keep",
            "ban ",
            "deport",
            "fuck",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.8,
            r"\bgo back to (?:your (?:own )?(?:fucking |shithole |damn |dirty )?country(?! (?:house|home|club|road|seat|music))|where you (?:came|come) from|africa|mexico|china|india|the jungle|pakistan|the middle east)\b(?! (?:and (?:visit|see)|for (?:a|the)|next|this|in))|\b(?:white power|sieg heil|heil hitler|hitler was right|white genocide|race traitors?|the (?:white|aryan|master) race is superior|(?:jews|muslims|immigrants) will not replace us|the great replacement is)\b",
            "go back to",
            "white power",
            "heil",
            "hitler",
            "white genocide",
            "race traitor",
            "race is",
            "replace",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.9,
            rf"\b(?:fucking|filthy|dirty|stupid|damn|goddamn|bloody|ugly) {slur}\b|\b(?:you|these|those|all) (?:\w+ )?{slur}\b",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.75,
            rf"\b(?:typical|disgusting|filthy|dirty|fucking|bloody|sneaky|greedy|thieving) (?:little )?(?!women\b|men\b|girls\b|old people\b){en}\b",
            "typical",
            "disgusting",
            "filthy",
            "dirty",
            "fucking",
            "bloody",
            "sneaky",
            "greedy",
            "thieving",
        ),
        # German.
        _rule(
            "DEHUMANISATION",
            0.92,
            rf"\b(?:alle |die |diese |diese verdammten |scheiss )?{de} (?:sind|bleiben|waren schon immer)(?: (?:alle|nur|einfach|doch|nichts als|wie|eben|halt|alles|bloss|dreckige|genau wie|und bleiben)){{0,3}} {feind}\b",
            "sind",
            "bleiben",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:alle |die |diese |diese verdammten |scheiss )?{de} (?:sind|bleiben)(?: (?:alle|nur|einfach|doch|nichts als|eben|halt|alles|bloss|und bleiben|von natur aus|zu)){{0,3}} {schlecht}\b",
            "sind",
            "bleiben",
        ),
        _rule(
            "HATE_THREAT",
            0.95,
            rf"\b(?:alle |die |diese |diese verdammten |scheiss )?{de} (?:sollte\w*|muss\w*|gehor\w*)(?: \w+){{0,3}}? (?:vergast|erschossen|getotet|umgebracht|ausgerottet|vernichtet|aufgehangt|sterben|verrecken|verbrannt|ins gas|abgeknallt|erschlagen|vergasen|ausgeloscht)\b|\b(?:tod (?:den|allen)|vergast (?:alle|die)|totet (?:alle|die)|erschiesst (?:alle|die)) (?:\w+ )?{de}\b|\bman (?:sollte|muss|musste) (?:alle|die|diese)? ?{de}(?: \w+){{0,2}} (?:vergasen|erschiessen|umbringen|ausrotten|vernichten|abknallen|verbrennen)\b",
            "soll",
            "muss",
            "gehor",
            "tod ",
            "vergast",
            "totet",
            "erschiesst",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b{de} (?:raus(?!gegangen|gekommen)\b|gehoren (?:nicht )?(?:hierher|abgeschoben|zu uns|hier raus|eingesperrt|weggesperrt)|sollen? (?:abgeschoben|eingesperrt|rausgeworfen) werden|haben hier nichts (?:zu suchen|verloren))|\b(?:ich|wir) (?:hasse|hassen|verabscheue|verachte) (?:alle |diese |die |diese verdammten )?{de}\b|\bgeh(?:t)? (?:doch )?(?:zuruck|dahin zuruck) (?:in (?:dein|euer) land|wo du herkommst|wo ihr herkommt)|\b(?:scheiss|dreckige|verdammte|dreckigen|verdammten|verfluchte) {de}\b",
            "raus",
            "gehor",
            "soll",
            "nichts zu suchen",
            "nichts verloren",
            "hasse",
            "verabscheue",
            "verachte",
            "geh",
            "scheiss",
            "dreckig",
            "verdammt",
            "verflucht",
        ),
        # Spanish.
        _rule(
            "DEHUMANISATION",
            0.92,
            rf"\b(?:todos |todas )?(?:los |las |esos |esas )?(?:putos |malditos |malditas |putas )?{es} (?:son|seran siempre)(?: (?:todos|todas|solo|solamente|unos|unas|unos malditos|como|nada mas que|peores que|pura)){{0,3}} {bestia}\b",
            " son ",
            "seran",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:todos |todas )?(?:los |las |esos |esas )(?:putos |malditos |malditas |putas )?{es} (?:son|seran siempre)(?: (?:todos|todas|solo|unos|unas|muy|unos malditos|siempre|por naturaleza)){{0,3}} {malo}\b",
            " son ",
            "seran",
        ),
        _rule(
            "HATE_THREAT",
            0.95,
            rf"\b(?:todos |todas )?(?:los |las |esos |esas )(?:putos |malditos |malditas )?{es} (?:deberian|deben|tienen que|merecen|tendrian que)(?: (?:todos|ser))* (?:morir|exterminados|fusilados|asesinados|eliminados|quemados|ahorcados|gaseados|muertos|matados|exterminadas|castrados)\b|\b(?:muerte a|matar a|maten a|matad a|hay que (?:matar|exterminar|gasear|quemar|fusilar|eliminar) a|exterminar a|gasear a) (?:todos |todas )?(?:los |las )(?:putos |malditos )?{es}\b",
            "deb",
            "tienen que",
            "merecen",
            "tendrian",
            "muerte a",
            "mat",
            "extermin",
            "gasear",
            "quemar",
            "fusilar",
            "eliminar",
        ),
        _rule(
            "IDENTITY_ATTACK",
            0.85,
            rf"\b(?:odio|odiamos|detesto|me dan asco|me repugnan) (?:a )?(?:todos |todas )?(?:los |las |esos |esas )?(?:putos |malditos )?{es}\b|\b(?:fuera|expulsar a|echar a|deportar a)(?: todos| todas)?(?: los| las)? {es}\b|\b(?:los |las |esos |esas ){es} (?:deberian|deben|tienen que)(?: (?:todos|ser))* (?:deportados|expulsados|largarse|irse|volver a su (?:pais|tierra)|encerrados)\b|\b(?:vuelve|vete|volved|largate) a tu (?:puto )?pais\b|\b(?:putos|malditos|asquerosos|sucios|putas|malditas) {es}\b|\b{es} de mierda\b",
            "odi",
            "detesto",
            "asco",
            "repugnan",
            "fuera",
            "expulsar",
            "echar",
            "deportar",
            "deb",
            "tienen que",
            "pais",
            "putos",
            "malditos",
            "asquerosos",
            "sucios",
            "putas",
            "malditas",
            "de mierda",
        ),
    )
