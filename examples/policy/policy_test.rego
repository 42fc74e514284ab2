package llama_mapper.policy_test

import data.llama_mapper.policy
import rego.v1

# The detectors of these tests; the installation's own are tried by `llama-mapper policies lint` besides.
detectors := [
	{"name": "names", "categories": ["pii.personal_identifiers"], "languages": [], "ready": true},
	{"name": "secrets", "categories": ["security.credentials"], "languages": [], "ready": false},
	{"name": "weather", "categories": [], "languages": [], "ready": true},
]

asked(content_type) := {
	"tenant_id": "acme",
	"content_type": content_type,
	"processing_mode": "normal",
	"categories": [],
	"metadata": {},
	"detectors": detectors,
}

test_whoever_judges_something_wanted_is_asked if {
	plan := policy.plan with input as asked("chat")
	plan.detectors.primary == ["names", "secrets"]
}

test_code_is_searched_for_credentials_only if {
	plan := policy.plan with input as asked("code")
	plan.categories == ["security.credentials"]
	plan.detectors.primary == ["secrets"]
}

test_every_wanted_category_is_required if {
	plan := policy.plan with input as asked("email")
	object.keys(plan.coverage.requirements) == {category | some category in plan.categories}
}

test_a_critical_request_is_decided_sooner if {
	plan := policy.plan with input as object.union(asked("chat"), {"processing_mode": "critical"})
	plan.timeout_ms == 1000
}
