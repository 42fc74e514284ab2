"""Threats, violence and self-harm by rules in English, German and Spanish.

A rule asks for an actor or a wish, a violent verb and a person as its object together: a verb alone is as often a figure
of speech (`kill the process`, `I could murder a pizza`) as not.
"""

# ruff: noqa: E501  (a pattern broken over lines hides what it matches)

from __future__ import annotations

import re

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection

from .folding import fold
from .rules import Rule, matches, strongest


class ViolenceScanner:
    """Threats, incitement, violent crime, gore, weapon making, and self-harm, told from harmless look-alikes."""

    descriptor = DetectorDescriptor(
        name="violence",
        vendor="llama_mapper_violence",
        vendor_version="1",
        categories=("content.violence", "content.self_harm"),
        labels=(
            "THREAT",
            "VIOLENT_CRIME",
            "INCITEMENT",
            "GRAPHIC_VIOLENCE",
            "WEAPON_INSTRUCTIONS",
            "SELF_HARM_INTENT",
            "SELF_HARM_INSTRUCTIONS",
        ),
        languages=("en", "de", "es"),
        cost_ms_per_kchar=0.5,
    )

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()

    def load(self) -> None:
        """Compile the rules."""
        self._rules = _rules()

    def scan(self, text: str) -> Inspection:
        """Findings whose span is the matched words."""
        if not self._rules:
            raise DetectorFailed("the violence rules were not loaded")
        return Inspection(strongest(matches(self._rules, fold(text))))


def violence_scanner() -> ViolenceScanner:
    """A scanner for violence and self-harm."""
    return ViolenceScanner()


_TEMPERED = re.compile(
    r"\b(?:in (?:the |this |my )?(?:game|level|match|scene|chapter|novel|book|movie|film|episode|story|campaign|chess|minecraft|fortnite)"
    r"|at (?:chess|poker|mario kart|tennis|ping pong)|the (?:character|villain|protagonist)|lyrics|just kidding|prevent\w*|hotline|helpline"
    r"|how (?:can|do) (?:i|we) (?:help|support)|help (?:someone|a friend|my|people) who"
    r"|im (?:spiel|film|roman|buch|videospiel)|beim (?:schach|poker)|verhindern|vorbeugen|pravention"
    r"|en (?:el|este) (?:juego|videojuego|libro|capitulo)|en la (?:pelicula|novela|serie|escena)|al ajedrez|prevenir|prevencion)\b"
)

# English building blocks, for folded text.
_WILL = (
    r"\b(?:(?:i|we)(?:'ll| will| shall| am going to| are going to| am gonna| want to| wanna| should| have to| need to| swear to god i'll| swear i'll)"
    r"|i'?m (?:going to|gonna|gunna|about to|coming to|planning to|bout to)|we're (?:going to|gonna)|i'd (?:love|like) to|ima|imma"
    r"|(?:he|she|they)(?:'ll| will| is going to| are going to| said (?:he|she|they)(?:'d| would)))"
)
_ADVERBS = (
    r"(?: (?:fucking|personally|literally|just|so|definitely|really|actually|seriously|slowly|come(?: over)? and|come over there and|find you and"
    r"|hunt you down and|track you down and|find (?:him|her|them|out where you live) and|go(?: over there)? and|have to|make sure to|to)){0,3}"
)
_RELATIVE = (
    r"(?:ex(?:-?(?:wife|husband|girlfriend|boyfriend))?|wife|husband|girlfriend|boyfriend|partner|mother|father|mom|dad|brother|sister|parents"
    r"|boss|coworkers?|colleagues?|neighbou?rs?|roommate|teachers?|classmates?|kids?|children|family|dog|cat|stepfather|stepmother|mother-in-law)"
)
_PERSON = (
    rf"(?:you(?! (?:an?|the|some|my|over|back|another|later|with kindness|down an|off))|u|ya|him|her|them all|them|everyone|everybody|myself and everyone|all of (?:you|them)|you all|y'all"
    rf"|(?:my|your|his|her|their|our|the) {_RELATIVE}|(?:that|this|the) (?:bitch|bastard|man|woman|guy|girl|kid|boy|cop|judge|president|senator)"
    r"|someone|somebody|(?:a|another) (?:person|man|woman|human(?: being)?|child|cop|stranger|witness|politician|judge|teacher|baby|kid)|people|innocent people"
    r"|(?:these|those|all(?: the| these| those)?|the) (?:people|cops|kids|children|students|bastards|politicians|traitors))\b"
)
_NOT_IDIOM = (
    r"(?! (?:process|task|thread|job|server|script|container|laughing|over to|an? (?:email|mail|text|message|quick|note|line|dm|look|few|photo)|off (?:in|as|with)|some (?:ideas|times)|with kindness"
    r"|in (?:the |this |a )?(?:game|match|round|mario|chess|fortnite|poker|tennis|race|debate|argument|negotiat)|at (?:chess|poker|tennis|mario|this game|it)|for (?:the|this) (?:game|scene|movie)"
    r"|in black|through the heart of|if (?:he|she|they|you) (?:don't|doesn't|forgets?) (?:bring|buy|send|call|text)))"
)
_KILL = (
    r"(?:kill|murder|stab|shoot|strangle|behead|slaughter|lynch|rape|gut|butcher|execute|assassinate|choke|drown|poison|torture|beat up"
    r"|beat the (?:shit|crap|hell|life) out of|skin|dismember|decapitate|bomb|blow up|gun down|run over|kidnap)"
)
_PLACE = (
    r"(?:school|office|church|mosque|synagogue|temple|building|mall|hospital|airport|house|home|workplace|concert|clinic|station|embassy"
    r"|place|courthouse|university|campus|stadium|nightclub|club|store|plane|train|bus|police station|city hall|capitol|parliament|factory)"
)
_HOW = (
    r"\b(?:how (?:to|do i|can i|do you|can you|would i|could i|might i|would you|would one|would someone|might someone|could someone|can someone|do people|should i|exactly)"
    r"|(?:instructions|steps|recipe|guide|tutorial|blueprint|directions|plans?|method|procedure|ways?) (?:for|to|on|of)|teach me|tell me|show me|explain|help me|i (?:want|need) to|best way to|easiest way to|walk me through|give me)\b"
)
_WEAPON = (
    r"(?:(?:pipe|nail|car|dirty|fertili[sz]er|pressure cooker|petrol|gasoline|homemade|nuclear|nuke|chlorine|hydrogen|suicide|remote|cell ?phone)[ -]bombs?"
    r"|(?<!bath )(?<!seed )(?<!photo )(?<!glitter )(?<!fork )(?<!zip )(?<!logic )(?<!smoke )(?<!stink )(?<!water )(?<!cocoa )(?<!chocolate )(?<!cherry )(?<!email )(?<!paint )(?<!cluster )(?<!love )"
    r"bombs?(?! (?:shelter|disposal|calorimeter|cyclone|squad|threat|detector|sniff|pop|prop|cake|recipe for bath))"
    r"|explosives?(?: devices?| vest| belt)?|ieds?|molotov(?: cocktails?)?|napalm|nerve (?:gas|agent)|sarin|ricin|vx(?: gas)?|mustard gas|chlorine gas|phosgene|tabun|grenades?|ghost guns?|(?:gun )?silencers?"
    r"|untraceable (?:guns?|firearms?|weapons?)|3d[ -]printed guns?|thermite|tatp|anthrax|nuclear (?:weapons?|device)|(?:chemical|biological) (?:weapons?|agents?)|bioweapons?|botulinum toxin|improvised (?:weapons?|explosives?|firearms?)|machine guns?|fully automatic)\b"
)


def _rules() -> tuple[Rule, ...]:
    def rule(label: str, score: float, pattern: str, *anchors: str, tempered: bool = True) -> Rule:
        return Rule(label, score, re.compile(pattern), anchors, _TEMPERED if tempered else None, 0.3)

    kill_words = ["kill", "murder", "stab", "shoot", "strangl", "behead", "slaughter", "lynch", "rape"]
    return (
        # English: threats.
        rule("THREAT", 0.9, rf"{_WILL}{_ADVERBS} {_KILL} {_PERSON}{_NOT_IDIOM}", "i", "will", "going", "ima"),
        rule(
            "THREAT",
            0.9,
            rf"{_WILL}{_ADVERBS} (?:shoot up|blow up|bomb|burn down|attack|set fire to|torch) (?:the|your|this|my|his|her|their|that|our) (?:\w+ ){{0,2}}{_PLACE}\b",
            "shoot up",
            "blow up",
            "bomb",
            "burn down",
            "attack",
            "set fire",
            "torch",
        ),
        rule(
            "THREAT",
            0.75,
            rf"{_WILL}{_ADVERBS} (?:hurt|fuck up|fuck|mess up|destroy|end|smash|crush|cut|bury|burn) (?:you(?: all)?|u|ya|your (?:kids|children|family|{_RELATIVE}))(?= |[.!,]|$){_NOT_IDIOM}(?! (?:feelings?|some|an?|the|up|down|in|at|on|with|off|out))",
            "hurt",
            "fuck",
            "mess",
            "destroy",
            "end ",
            "smash",
            "crush",
            "cut ",
            "bury",
            "burn",
        ),
        rule("THREAT", 0.9, r"\bput a bullet (?:in|through) (?:your|his|her|their|that) \w+", "bullet"),
        rule("THREAT", 0.85, r"\b(?:slit|cut) (?:your|his|her|their) throats?\b", "throat"),
        rule(
            "THREAT",
            0.85,
            rf"{_WILL}{_ADVERBS} (?:break|smash|bash|cave|kick|punch|rip|tear|cut|blow|snap|crush) (?:your|his|her|their) (?:fucking |god ?damn )?(?:legs?|neck|arms?|face|head|skull|teeth|jaw|kneecaps?|fingers|heart out|tongue|brains|throat|bones)\b",
            "break",
            "smash",
            "bash",
            "cave",
            "kick",
            "punch",
            "rip",
            "tear",
            "cut",
            "blow",
            "snap",
            "crush",
        ),
        rule(
            "THREAT",
            0.8,
            r"\byou(?:'re| are|r) (?:a )?dead (?:man|meat|woman|bitch)\b|\byou(?:'ll| will| are going to|'re going to| gonna|'re gonna) (?:die|bleed|be dead|pay with your life)(?: (?:tonight|tomorrow|soon|screaming|slowly|today|for (?:this|that|what))|[!.]|$)(?! (?:laughing|of laughter))",
            "dead",
            "die",
            "bleed",
            "your life",
        ),
        rule(
            "THREAT",
            0.65,
            r"\bi know where (?:you|your (?:kids|children|family|mother|wife|husband)) (?:live|sleep|work|go to school)s?\b(?! (?:of|for|in) )",
            "know where",
        ),
        rule(
            "THREAT",
            0.55,
            r"\b(?:you(?:'d| had)? better |you should )watch your back\b|\bsleep with one eye open\b",
            "watch your back",
            "one eye open",
        ),
        rule(
            "THREAT",
            0.85,
            r"\b(?:(?:i|we)(?:'ve| have)? (?:put|placed|planted|hid|hidden|left) (?:a|the|some|several|two|three)|there(?:'s| is| are) (?:a|several|two|three)) (?:pipe |nail |car )?(?:bombs?|explosives?|explosive devices?) (?:in|at|under|on|inside|near|outside) (?:the|your|this)\b(?! (?:movie|film|game|story|scene|background|picture|sky))",
            "bomb",
            "explosive",
        ),
        # English: crime and incitement.
        rule(
            "VIOLENT_CRIME",
            0.85,
            rf"{_HOW}(?: \w+){{0,4}} (?:kill|murder|poison|strangle|kidnap|stab|assassinate|abduct|torture|suffocate|smother|drug|rape|behead) {_PERSON}{_NOT_IDIOM}",
            *kill_words,
            "poison",
            "kidnap",
            "abduct",
            "assassinat",
            "tortur",
            "suffocat",
            "smother",
            "drug",
        ),
        rule(
            "VIOLENT_CRIME",
            0.8,
            r"\b(?:hire|find|contact|pay) (?:a |an |me a )?(?:hit ?man|assassin|contract killer)\b",
            "hit man",
            "hitman",
            "assassin",
            "contract killer",
        ),
        rule(
            "VIOLENT_CRIME",
            0.8,
            rf"{_HOW}(?: \w+){{0,5}} (?:dispose of|get rid of|hide|dissolve|bury) (?:a|the|my|his|her|their) (?:dead )?(?:human )?(?:body|corpse)\b",
            "body",
            "corpse",
        ),
        rule(
            "VIOLENT_CRIME",
            0.8,
            rf"{_HOW}(?: \w+){{0,5}} (?:mass shooting|school shooting|massacre|terror(?:ist)? attack|suicide bombing|car ramming|arson attack|mass murder|kidnapping|drive-by)\b",
            "shooting",
            "massacre",
            "attack",
            "bombing",
            "mass murder",
            "ramming",
            "kidnapping",
            "drive-by",
        ),
        rule(
            "INCITEMENT",
            0.85,
            r"\b(?:let's|lets|we (?:must|should|need to|have to)|everyone (?:must|should)|someone (?:should|needs to|has to|ought to|must)|somebody (?:should|needs to|has to)|go(?: out)? and|it's time to|time to)(?: (?:all|go|just|finally|together))? (?:kill|shoot|lynch|murder|hang|behead|slaughter|assassinate|stab|massacre|execute|burn alive) (?:them(?: all)?|him|her|those|these|the|that|all|every|as many)\b(?! (?:process|lights?|engine|bug|mood|job|server|task|weeds|weed|time|music|picture|curtains|photos?|scene|movie|film|video|noise|power))",
            *kill_words,
            "hang",
            "assassinat",
            "massacre",
            "execut",
            "burn alive",
        ),
        rule(
            "INCITEMENT",
            0.85,
            r"\b(?:kill|shoot|lynch|hang|slaughter|behead|massacre|execute) (?:all|every|each|every last)(?: one)?(?: of)?(?: the| those| these)? (?:cops?|police|politicians?|traitors?|journalists?|judges?|teachers?|doctors?|unbelievers|infidels|people|bankers|liberals|conservatives|communists|republicans|democrats|men|women)\b",
            *kill_words,
            "hang",
            "massacre",
            "execut",
        ),
        rule(
            "INCITEMENT",
            0.75,
            r"\bdeath to (?:all |the |every )?(?!spam|boring|ads|meetings|passwords|powerpoint)(?:america|israel|iran|infidels|traitors|unbelievers|cops|police|politicians|journalists|jews|muslims|christians|immigrants|gays|[a-z]{3,20}s)\b",
            "death to",
        ),
        rule(
            "INCITEMENT",
            0.8,
            r"\b(?:he|she|they|you|it's time|politicians|cops|traitors|journalists|these people|those people|you people)(?: all)? (?:should|must|deserves?|needs?|ought|have)(?: to)?(?: all)? be (?:killed|shot|hanged|hung|executed|lynched|murdered|beheaded|burned alive|stoned to death|put against a wall)\b",
            "killed",
            "shot",
            "hanged",
            "hung",
            "executed",
            "lynched",
            "murdered",
            "beheaded",
            "alive",
            "stoned",
            "against a wall",
        ),
        rule(
            "INCITEMENT",
            0.8,
            r"\b(?:take up arms|pick up your (?:guns|weapons|rifles)|grab your (?:guns|weapons|rifles)) (?:and|against) ",
            "take up arms",
            "your guns",
            "your weapons",
            "your rifles",
        ),
        rule(
            "GRAPHIC_VIOLENCE",
            0.7,
            r"\b(?:severed|decapitated|mutilated|dismembered|disembowel+ed|eviscerated|gouged|charred|mangled|rotting|headless|butchered) (?:\w+ ){0,2}(?:head|heads|body|bodies|limbs?|corpses?|torsos?|arms?|legs?|eyes?|entrails|fingers?|victims?)\b",
            "severed",
            "decapitated",
            "mutilated",
            "dismembered",
            "embowel",
            "eviscerated",
            "gouged",
            "charred",
            "mangled",
            "rotting",
            "headless",
            "butchered",
        ),
        rule(
            "GRAPHIC_VIOLENCE",
            0.7,
            r"\b(?:blood|brains?|guts|intestines|entrails) (?:\w+ )?(?:spray|splatter|gush|spurt|spill|ooz|pour|spattered|dripp)\w*(?: \w+){0,3} (?:from|out|over|across|onto|everywhere|on the)\b|\b(?:tore|torn|ripped|hacked|cut) (?:\w+ ){0,2}(?:limb from limb|to pieces with|open with a knife)\b|\b(?:gouged|gouging|ripped|tore) out (?:his|her|their|the victim's) (?:eyes?|heart|throat|tongue|guts|intestines)\b",
            "blood",
            "brain",
            "guts",
            "intestines",
            "entrails",
            "limb from",
            "to pieces",
            "open with",
            "goug",
            "ripped",
            "tore",
        ),
        rule(
            "WEAPON_INSTRUCTIONS",
            0.9,
            rf"{_HOW}[^.!?\n]{{0,60}}?\b(?:mak(?:e|ing)|build(?:ing)?|construct(?:ing)?|creat(?:e|ing)|assembl(?:e|ing)|synthesi[sz](?:e|ing)|produc(?:e|ing)|manufactur(?:e|ing)|detonat(?:e|ing)|weaponi[sz](?:e|ing)|3d[ -]?print(?:ing)?|prepar(?:e|ing)|cook(?:ing)?|convert(?:ing)?)\b[^.!?\n]{{0,40}}?\b{_WEAPON}",
            "bomb",
            "explosive",
            "ied",
            "molotov",
            "napalm",
            "nerve",
            "sarin",
            "ricin",
            "vx",
            "gas",
            "grenade",
            "gun",
            "silencer",
            "firearm",
            "thermite",
            "tatp",
            "anthrax",
            "weapon",
            "toxin",
            "agent",
            "automatic",
            "phosgene",
            "tabun",
        ),
        # English: self-harm.
        rule(
            "SELF_HARM_INTENT",
            0.9,
            r"\b(?:i (?:really |just |honestly |still |only )?(?:want to|wanna|need to|plan to|am going to|'m going to|am planning to|intend to|am about to|will|have decided to|should|feel like|keep thinking about|think about|am thinking (?:about|of)|was thinking (?:about|of)|have been thinking (?:about|of)|tried to|contemplate)|i'm (?:going to|gonna|planning to|about to|thinking (?:about|of)|considering)|i'll|i've been thinking (?:about|of)|makes me want to|ima) (?:just )?(?:kill(?:ing)? myself|end(?:ing)? (?:my (?:own )?life|it all|my existence)|commit(?:ting)? suicide|suicide|hang(?:ing)? myself|cut(?:ting)? myself(?! (?:some|off|a (?:slice|piece)))|hurt(?:ing)? myself|tak(?:e|ing) my (?:own )?life|unaliv(?:e|ing) myself|overdos(?:e|ing)|slit(?:ting)? my wrists|shoot(?:ing)? myself(?! in the foot)|jump(?:ing)? off (?:a|the) (?:bridge|roof|building)|starv(?:e|ing) myself)\b",
            "myself",
            "my life",
            "my own life",
            "it all",
            "my existence",
            "suicide",
            "overdos",
            "my wrists",
            "jump",
        ),
        rule(
            "SELF_HARM_INTENT",
            0.8,
            r"\bi (?:just |really )?(?:want to|wanna|wish i (?:could|would)) die\b(?! (?:laughing|of (?:laughter|embarrassment|cuteness)|on this hill))|\bi (?:wish|wished) i (?:was|were) (?:dead|never born)\b",
            "die",
            "dead",
            "never born",
        ),
        rule(
            "SELF_HARM_INTENT",
            0.85,
            r"\bi (?:don't|do not|dont|no longer) (?:want to|wanna) (?:live|be alive|exist|wake up|be here)(?: (?:any ?more|any longer|in this world))?(?= any| in this|[.!,\n]|$)|\bi(?:'m| am) (?:feeling )?suicidal\b|\bi (?:have been|keep|started|'ve been|am|went back to)(?: back)? (?:cutting|hurting|burning|harming) myself\b|\bi have no reason to live\b|\b(?:my|a) (?:suicide|goodbye) (?:note|letter) (?:is|to my)|\bbetter off without me\b|\bbetter off if i (?:was|were) (?:dead|gone)\b",
            "live",
            "alive",
            "exist",
            "wake up",
            "be here",
            "suicid",
            "myself",
            "goodbye",
            "without me",
            "if i w",
        ),
        rule(
            "SELF_HARM_INSTRUCTIONS",
            0.9,
            rf"{_HOW}(?: \w+){{0,4}} (?:kill (?:myself|yourself|oneself)|commit suicide|hang (?:myself|yourself)|end (?:my|your|their|one's) (?:own )?life|die (?:painlessly|peacefully in)|self[- ]harm|(?:cut|hurt|harm) (?:myself|yourself)(?! (?:some|off|a |the))|starve (?:myself|yourself)|tie a noose|overdose(?: on)?|hide (?:my |the |self[- ]harm )(?:cuts|scars|cutting))\b",
            "myself",
            "yourself",
            "oneself",
            "suicide",
            "life",
            "die ",
            "self",
            "noose",
            "overdose",
            "cuts",
            "scars",
            "cutting",
        ),
        rule(
            "SELF_HARM_INSTRUCTIONS",
            0.9,
            r"\b(?:painless|best|easiest|quickest|fastest|most effective|least painful|surest) (?:suicide )?(?:ways?|methods?) (?:to|of|for) (?:die|dying|suicide|kill(?:ing)? (?:myself|yourself)|end(?:ing)? (?:my|your) (?:own )?life|commit(?:ting)? suicide|self[- ]harm(?:ing)?)\b|\bhow many (?:\w+ ){0,4}(?:pills?|mg|tablets|tylenol|paracetamol|milligrams)?(?: \w+){0,6} (?:to (?:die|overdose|kill (?:myself|yourself|me|a person|someone))|is lethal|would kill me)\b",
            "way",
            "method",
            "how many",
        ),
        # German.
        rule(
            "THREAT",
            0.9,
            r"\b(?:ich|wir) (?:werde?n?|bring\w*|will|wollen|mach\w*|stech\w*|schlag\w*|schies\w*|erschies\w*|hau\w*|polier\w*|schneid\w*|brech\w*|zund\w*|tot\w*)(?: \w+){0,2}? (?:dich|euch|ihn|sie|dir|ihr|deine (?:familie|kinder|frau|mutter)|deinen \w+|alle)(?: \w+){0,3}? ?\b(?:umbringen|um(?= ?[.,!?;\"]|$|\n| (?:und|wenn|falls|du)\b)|toten|kalt|kaltmachen|ab(?:stechen|schlachten|knallen)?|erschiessen|erstechen|erwurgen|totschlagen|tot|zusammenschlagen|aufschlitzen|fertigmachen|verprugeln|die (?:fresse|kehle|zahne|beine|arme|knochen) (?:polieren|durch\w*|aus\w*|einschlagen|brechen|ein))\b(?! (?:deine|die) (?:mail|nachricht))",
            "ich ",
            "wir ",
        ),
        rule(
            "THREAT",
            0.85,
            r"\b(?:ich|wir) (?:werde?n?|will|wollen)(?: \w+){0,3} (?:schule|buro|haus|kirche|moschee|synagoge|gebaude|bahnhof|rathaus) (?:in die luft (?:jagen|sprengen)|sprengen|anzunden|abbrennen|niederbrennen|uberfallen)\b|\bin (?:der|deiner|eurer) \w+ (?:ist|liegt) eine bombe\b",
            "schule",
            "buro",
            "haus",
            "kirche",
            "moschee",
            "synagoge",
            "gebaude",
            "bahnhof",
            "bombe",
        ),
        rule(
            "THREAT",
            0.75,
            r"\bdu bist (?:ein )?(?:tot(?:er mann)?|so gut wie tot)\b(?! (?:mude|fur mich))|\bdu wirst (?:sterben|bluten|das nicht uberleben)\b|\bich weiss,? wo (?:du|deine (?:kinder|familie)) (?:wohn|schlaf|arbeit)\w*|\bpass auf dich auf, ich krieg dich\b",
            "tot",
            "sterben",
            "bluten",
            "uberleben",
            "ich weiss",
            "krieg dich",
        ),
        rule(
            "INCITEMENT",
            0.85,
            r"\b(?:tod (?:allen|den) \w{4,}|(?:totet|erschiesst|hangt|schlachtet|erschlagt) (?:alle|sie|die|diese)\b|(?:man (?:sollte|muss|musste)|wir (?:sollten|mussen)|jemand (?:sollte|muss)) (?:sie|ihn|die|diese|alle)(?: \w+){0,4} (?:umbringen|erschiessen|aufhangen|toten|abschlachten|abknallen|vergasen|erschlagen))\b",
            "tod ",
            "totet",
            "erschies",
            "hang",
            "schlacht",
            "umbringen",
            "toten",
            "abknallen",
            "vergasen",
            "erschlag",
        ),
        rule(
            "VIOLENT_CRIME",
            0.85,
            r"\bwie (?:kann|konnte|soll|wurde|muss) (?:ich|man|jemand)(?: \w+){0,3} (?:jemanden|meinen? \w+|einen menschen|eine person|ihn|sie)(?: \w+){0,4} (?:umbringen|ermorden|toten|vergiften|entfuhren|erwurgen|verschwinden lassen)\b|\bauftragskiller\b(?: \w+){0,3} (?:finden|beauftragen|engagieren|bezahlen)\b",
            "wie ",
            "auftragskiller",
        ),
        rule(
            "WEAPON_INSTRUCTIONS",
            0.9,
            r"\b(?:wie|anleitung|erklar\w*|zeig\w*|sag\w*|schritte?|rezept|hilf)\b[^.!?\n]{0,60}?\b(?:rohrbomben?|bomben?(?!enstimmung)|sprengstoff\w*|sprengsatz\w*|molotow-?cocktails?|napalm|sarin|rizin|senfgas|nervengas|handgranaten?|schalldampfer)\b[^.!?\n]{0,30}?\b(?:bau\w*|bastel\w*|herstell\w*|hergestellt|mach\w*|gebaut|zund\w*|mische?n?)\b|\b(?:bau\w*|bastel\w*|herstell\w*|bombenbau) (?:\w+ ){0,3}(?:rohrbomben?|bomben?|sprengstoff\w*|sprengsatz\w*|molotow-?cocktails?)\b",
            "bombe",
            "spreng",
            "molotow",
            "napalm",
            "sarin",
            "rizin",
            "gas",
            "granate",
            "schalldampfer",
        ),
        rule(
            "SELF_HARM_INTENT",
            0.9,
            r"\bich (?:will|mochte|werde|wollte|muss|habe vor,?)(?: \w+){0,4}? (?:mich(?: \w+){0,2}? (?:umbringen|toten|erhangen|ritzen|verletzen|vergiften|erschiessen|umzubringen)|mir(?: \w+){0,2}? (?:das leben nehmen|etwas antun|die pulsadern aufschneiden)|selbstmord begehen|sterben|nicht mehr (?:leben|da sein|aufwachen)|meinem leben ein ende setzen)\b(?! vor (?:lachen|scham))|\bich (?:bringe|bring) mich(?: \w+){0,3}? um\b|\bich (?:ritze|schneide) mich (?:wieder|seit|jeden|immer|selbst)\b|\bich (?:habe|denke)(?: \w+){0,4} (?:suizidgedanken|selbstmordgedanken|an selbstmord|an suizid)\b|\bohne mich (?:besser dran|waren)\b",
            "umbring",
            "toten",
            "erhang",
            "ritze",
            "verletz",
            "vergift",
            "erschies",
            "umzubring",
            "leben",
            "antun",
            "pulsadern",
            "selbstmord",
            "suizid",
            "sterben",
            "mich",
            "da sein",
            "aufwachen",
        ),
        rule(
            "SELF_HARM_INSTRUCTIONS",
            0.9,
            r"\bwie (?:kann|konnte|soll|muss) (?:ich|man)(?: \w+){0,4}? (?:mich|sich|mir|selbst)(?: \w+){0,4}? (?:umbringen|toten|erhangen|das leben nehmen|ritzen|verletzen|vergiften)\b|\b(?:schmerzlose|schnellste|beste|einfachste)\w* (?:art|weg|methode|moglichkeit)\w*(?: \w+){0,3} (?:zu sterben|sich umzubringen|mich umzubringen|suizid|selbstmord)\b|\bwie begehe? (?:ich|man) (?:selbstmord|suizid)\b",
            "umbring",
            "toten",
            "erhang",
            "leben",
            "ritzen",
            "verletzen",
            "vergiften",
            "sterben",
            "umzubring",
            "suizid",
            "selbstmord",
        ),
        # Spanish.
        rule(
            "THREAT",
            0.9,
            r"\b(?:te|os|los|las|la|lo|le|les) (?:voy|vamos|va) a (?:\w+ )?(?:matar|apunalar|disparar|degollar|estrangular|asesinar|violar|quemar(?: vivos?| vivas?)?|descuartizar|reventar|partir la (?:cara|boca|cabeza)|romper (?:la|las|los) (?:cara|piernas|huesos|dientes|cabeza)|cortar (?:el cuello|la cabeza|la garganta))\b(?! (?:de (?:risa|aburrimiento|hambre)|un (?:mensaje|correo)|a (?:besos|preguntas|abrazos)))|\bvoy a (?:matarte|mataros|matarlos?|matarlas?|apunalarte|degollarte|dispararte|quemarte|acabar contigo|matar a (?:tu|su|mi|todos|alguien|ese|esa)\b)(?! de risa)|\bte (?:mato|matare|rajo|degollare|matamos)\b(?! de risa)",
            "matar",
            "apunal",
            "dispar",
            "degoll",
            "estrangul",
            "asesin",
            "violar",
            "quemar",
            "descuartiz",
            "reventar",
            "partir",
            "romper",
            "cortar",
            "mato",
            "matamos",
            "rajo",
            "contigo",
        ),
        rule(
            "THREAT",
            0.75,
            r"\b(?:estas|eres) (?:un (?:hombre )?)?muert[oa]\b(?! de )|\bse donde (?:vives|trabajas|duermes|viven tus hijos)\b|\bvas a (?:morir|sangrar|pagarlo con (?:tu|la) vida)\b(?! de risa)|\b(?:vamos|voy) a (?:volar|quemar|hacer estallar|poner una bomba en) (?:la|el|tu|vuestra) (?:escuela|colegio|oficina|iglesia|mezquita|sinagoga|casa|edificio|hospital|estacion)\b|\bhay una bomba en (?:la|el|tu|vuestra?)\b",
            "muert",
            "se donde",
            "morir",
            "sangrar",
            "pagarlo",
            "volar",
            "quemar",
            "estallar",
            "bomba",
        ),
        rule(
            "INCITEMENT",
            0.85,
            r"\bmuerte a (?:los|las|todos|todas) \w+|\b(?:hay que|tenemos que|deberiamos|alguien (?:deberia|tiene que)|vamos a) (?:matar(?:los|las|lo|la)?|fusilar(?:los|las|lo|la)?|ahorcar(?:los|las|lo|la)?|linchar(?:los|las|lo|la)?|exterminar(?:los|las)?|degollar(?:los|las)?|quemar(?:los|las) vivos)(?: a (?:todos|todas|esos|esas|los|las|ese|esa|el|la)\b)?(?! (?:el|la|los|las) (?:proceso|tiempo|hambre|luz|motor|bicho|mosca|cucaracha|hierba))",
            "muerte a",
            "matar",
            "fusil",
            "ahorc",
            "linch",
            "extermin",
            "degoll",
            "quemar",
        ),
        rule(
            "VIOLENT_CRIME",
            0.85,
            r"\bcomo (?:puedo|podria|se puede|hago para|debo) (?:\w+ )?(?:matar|asesinar|envenenar|secuestrar|estrangular) a (?:alguien|una persona|mi \w+|un hombre|una mujer|un nino)|\bcomo (?:matar|asesinar|envenenar|secuestrar) a (?:alguien|una persona|mi \w+|un hombre|una mujer|un nino)\b|\b(?:contratar|buscar|pagar a?) (?:a )?un (?:sicario|asesino a sueldo)\b",
            "matar",
            "asesin",
            "envenen",
            "secuestr",
            "estrangul",
            "sicario",
        ),
        rule(
            "WEAPON_INSTRUCTIONS",
            0.9,
            r"\b(?:como|instrucciones|explica\w*|ensena\w*|dime|pasos|receta|ayuda\w*)\b[^.!?\n]{0,60}?\b(?:hacer|fabricar|construir|montar|preparar|hago|fabrico|armar|detonar)\b[^.!?\n]{0,30}?\b(?:bombas?(?! de (?:bano|agua|chocolate|calor|humo|crema|aire|vacio|combustible|bicicleta|achique|insulina|semillas))|explosivos?|coctel(?:es)? molotov|napalm|sarin|ricina|gas (?:mostaza|nervioso|cloro)|granadas?(?! (?:de fruta|en almibar))|silenciador|armas? (?:quimicas?|biologicas?|caseras?))\b",
            "bomba",
            "explosiv",
            "molotov",
            "napalm",
            "sarin",
            "ricina",
            "gas ",
            "granada",
            "silenciador",
            "arma",
        ),
        rule(
            "SELF_HARM_INTENT",
            0.9,
            r"\b(?:quiero|voy a|pienso|necesito|he decidido|estoy pensando en|he pensado en|intente|deseo) (?:\w+ )?(?:matarme|suicidarme|quitarme la vida|ahorcarme|cortarme las venas|hacerme dano|acabar con mi vida|acabar con todo|morirme|morir|desaparecer para siempre|dejar de (?:vivir|existir))\b(?! de (?:risa|verguenza|ganas))|\bme (?:quiero|voy a) (?:\w+ )?(?:matar|morir|suicidar|ahorcar|quitar la vida|cortar las venas)\b(?! de (?:risa|verguenza))|\b(?:ya )?no quiero (?:vivir|seguir viviendo|despertar|existir|estar viv[oa])\b(?! (?:en|con|aqui|sol[oa]|cerca))|\b(?:todos|mi familia) estarian? mejor sin mi\b",
            "matarme",
            "suicid",
            "vida",
            "ahorc",
            "venas",
            "dano",
            "acabar con",
            "morir",
            "matar",
            "desaparecer",
            "vivir",
            "viviendo",
            "existir",
            "despertar",
            "sin mi",
            "viv",
        ),
        rule(
            "SELF_HARM_INSTRUCTIONS",
            0.9,
            r"\bcomo (?:puedo |podria |debo |hago para )?(?:matarme|suicidarme|quitarme la vida|ahorcarme|cortarme (?:las venas|sin)|morir sin dolor|hacerme dano)\b|\b(?:mejor|forma mas|manera mas|metodo mas|metodos?) (?:\w+ ){0,3}(?:forma|manera|metodo)?(?: ?(?:de|para)) (?:suicidarse|suicidarme|matarme|morir sin dolor|quitarse la vida|suicidio)\b|\bcuantas (?:pastillas|pildoras)(?: \w+){0,5} (?:para morir|morir|sobredosis|matarme)\b",
            "matarme",
            "suicid",
            "vida",
            "ahorc",
            "cortarme",
            "morir",
            "dano",
            "pastillas",
            "pildoras",
        ),
    )
