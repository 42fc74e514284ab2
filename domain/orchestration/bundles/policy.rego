# Decides one request's whole plan from the bundle's data; docs/policy.md explains the input, the plan and the data.
package llama_mapper.policy

import rego.v1

# A tenant's entry has the shape of the defaults and replaces what it names, at any depth.
config := object.union(data.defaults, data.tenants[input.tenant_id])

config := data.defaults if not data.tenants[input.tenant_id]

profile := object.get(config.content_types, input.content_type, config.content_types.text)

requested := {category | some category in input.categories}

# What must be judged: the caller's categories, else the ones this content type requires.
required := requested if count(requested) > 0

required := {category | some category in profile.required_categories} if count(requested) == 0

# What is worth judging besides: whatever a registered detector declares and the content type admits.
declared := {category | some detector in input.detectors; some category in detector.categories}

wanted := required if count(requested) > 0

wanted := required | declared if {
	count(requested) == 0
	"*" in profile.categories
}

# Asking about each category costs as much as all the rest, and most profiles admit everything.
wanted := required | {category | some category in declared; admits(category)} if {
	count(requested) == 0
	not "*" in profile.categories
}

admits(category) if category in profile.categories

admits(category) if concat("", [split(category, ".")[0], ".*"]) in profile.categories

excluded := {name | some name in config.excluded_detectors}

# Detectors are chosen by what they declare, so a new one takes part without a change here.
judges contains detector.name if {
	some detector in input.detectors
	count({category | some category in detector.categories} & wanted) > 0
	not detector.name in excluded
}

# These judge no category and tell something about the content, such as its language.
auxiliary contains detector.name if {
	some detector in input.detectors
	detector.name in config.auxiliary_detectors
	not detector.name in excluded
}

# Named outright, registered or not: one that is missing is reported as unavailable.
named := {name | some name in config.required_detectors}

primary := named | {name | some name in judges; name in profile.primary_detectors}

secondary := (judges | auxiliary) - primary

# A detector's own entry stands before what all primary detectors have, and that before what all have.
terms[name] := object.union(config.detector_defaults, object.get(config.detectors, name, {})) if some name in secondary

terms[name] := object.union(primary_defaults, object.get(config.detectors, name, {})) if some name in primary

primary_defaults := object.union(config.detector_defaults, config.primary_detector_defaults)

requirements[category] := config.coverage.category_weight if some category in required

requirements[name] := terms[name].weight if {
	config.coverage.method != "taxonomy"
	some name in primary
}

plan := {
	"categories": sort(wanted),
	"detectors": {
		"primary": sort(primary),
		"secondary": sort(secondary),
		"terms": terms,
	},
	"coverage": {
		"method": config.coverage.method,
		"threshold": config.coverage.threshold,
		"requirements": requirements,
		"on_insufficient": config.coverage.on_insufficient,
		"language_gaps": config.coverage.language_gaps,
	},
	"conflicts": config.conflicts,
	"actions": config.actions,
	"timeout_ms": object.get(config.timeouts_ms, input.processing_mode, config.timeouts_ms.normal),
	"routing_reason": reason,
	"enforcement": config.enforcement,
	"redaction": config.redaction,
	"mapping": object.get(config, "mapping", {}),
}

asked_for := "the requested categories" if count(requested) > 0

asked_for := "every category of this content type" if count(requested) == 0

reason := sprintf("%s content, %s: %d primary and %d secondary detectors judge %d categories", [
	input.content_type,
	asked_for,
	count(primary),
	count(secondary),
	count(wanted),
])
