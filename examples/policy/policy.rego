# What a support desk wants to know of a text, and what follows from it. docs/policy.md explains input and plan.
package llama_mapper.policy

import rego.v1

wanted := object.get(data.categories, input.content_type, data.categories["default"])

# Every detector that judges something wanted. A new one takes part without a change here.
judges contains detector.name if {
	some detector in input.detectors
	some category in detector.categories
	category in wanted
}

terms := {"weight": 1, "timeout_ms": timeout_ms, "failure_mode": "fail_open", "clean_confidence": 0.5}

timeout_ms := data.timeouts_ms[input.processing_mode]

plan := {
	"categories": wanted,
	"detectors": {
		"primary": sort(judges),
		"secondary": [],
		"terms": {name: terms | some name in judges},
	},
	"coverage": {
		"method": "taxonomy",
		"threshold": 1,
		"requirements": {category: 1 | some category in wanted},
		"on_insufficient": "flag",
		"language_gaps": "report",
	},
	"conflicts": {"default": "most_restrictive", "categories": {}},
	"actions": {
		"default": [{"threshold": 0.9, "action": "flag"}],
		"categories": {
			"pii.*": [{"threshold": 0.5, "action": "redact"}],
			"security.*": [{"threshold": 0.5, "action": "flag"}, {"threshold": 0.7, "action": "block"}],
		},
	},
	"redaction": {"default": "surrogate", "categories": {"pii.financial_data": "mask"}},
	"timeout_ms": timeout_ms,
	"routing_reason": sprintf("%s for the support desk: %d detectors", [input.content_type, count(judges)]),
}
