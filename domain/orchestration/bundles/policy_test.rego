# Run by `llama-mapper policies lint`, as by `opa test`: what the shipped bundles promise whatever their data say.
package llama_mapper.policy_test

import data.llama_mapper.policy
import rego.v1

facts := {
	"tenant_id": "narrow",
	"content_type": "text",
	"processing_mode": "normal",
	"categories": [],
	"metadata": {},
	"detectors": [
		{"name": "people", "categories": ["pii.personal_identifiers"], "languages": [], "ready": true},
		{"name": "threats", "categories": ["content.violence", "content.harassment"], "languages": [], "ready": true},
	],
}

profile := {"categories": ["pii.*", "content.violence"], "required_categories": [], "primary_detectors": ["people"]}

tenants := {"narrow": {"content_types": {"text": profile}}}

test_a_profile_admits_the_domains_and_the_categories_that_it_names if {
	plan := policy.plan with input as facts with data.tenants as tenants
	plan.categories == ["content.violence", "pii.personal_identifiers"]
	plan.detectors.primary == ["people"]
	plan.detectors.secondary == ["threats"]
}

test_a_request_for_categories_stands_before_the_profile if {
	asked := object.union(facts, {"categories": ["content.harassment"]})
	plan := policy.plan with input as asked with data.tenants as tenants
	plan.categories == ["content.harassment"]
	plan.detectors.primary == []
	plan.detectors.secondary == ["threats"]
}

test_an_excluded_detector_is_never_chosen if {
	excluding := {"narrow": {"excluded_detectors": ["threats"]}}
	plan := policy.plan with input as facts with data.tenants as excluding
	not "threats" in plan.detectors.primary
	not "threats" in plan.detectors.secondary
}
