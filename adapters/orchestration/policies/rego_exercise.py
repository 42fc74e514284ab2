"""A bundle with its tests run and its coverage counted, by regorus; for use inside a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import told_by
from llama_mapper.domain.kernel.errors import PolicyEnforcementError

_PLAN = "data.llama_mapper.policy.plan"
_TEST_FILE = "_test.rego"
_TEST_RULE = "test_"


class RegoExercise:
    """Compiles `modules` and `data`; raises `POLICY_INVALID` if they do not compile.

    A test is a rule whose name begins with `test_`, in a module `*_test.rego`, as for `opa test`: it passes if it is
    defined and not false, and where it has cases (`test_x[case]`) if every case does. `tests` are `name`, `path` and
    `line`; `rules`, of all other modules, are `name`, `path`, `first` and `last` line.
    """

    def __init__(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> None:
        import regorus

        self._engine = regorus.Engine()
        self._engine.set_gather_prints(True)
        try:
            for path in sorted(modules):
                self._engine.add_policy(path, modules[path])
            self._engine.add_data_json(json.dumps(dict(data)))
            trees = json.loads(self._engine.get_ast_as_json())
            self._engine.set_enable_coverage(True)
        except (RuntimeError, ValueError, TypeError) as error:
            raise PolicyEnforcementError(f"the policy does not compile: {told_by(error)}") from None
        self.tests: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        for tree in trees:
            path, source = tree["source"]["file"], tree["source"]["contents"].encode()
            package = _text(tree["ast"]["package"]["refr"], source)
            for name, first, last in _rules_of(tree["ast"]["rules"], source):
                if not path.endswith(_TEST_FILE):
                    self.rules.append({"name": name, "path": path, "first": first, "last": last})
                elif name.startswith(_TEST_RULE):
                    test = {"name": f"data.{package}.{_plain(name)}", "path": path, "line": first}
                    if all(known["name"] != test["name"] for known in self.tests):
                        self.tests.append(test)

    def test(self, name: str) -> dict[str, Any]:
        """Run one of the tests: `passed`, and `message` if it did not."""
        self._engine.set_input_json("{}")
        try:
            value = self._value_of(name)
        except RuntimeError as error:
            return {"passed": False, "message": told_by(error)}
        failed = [] if not isinstance(value, dict) else sorted(str(case) for case, ok in value.items() if ok is False)
        if value is None:
            return {"passed": False, "message": "it is undefined"}
        if value is False:
            return {"passed": False, "message": "it is false"}
        return {"passed": not failed, "message": f"cases that are false: {', '.join(failed)}" if failed else ""}

    def plan(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The plan for these facts."""
        self._engine.set_input_json(json.dumps(facts))
        try:
            plan = self._value_of(_PLAN)
        except RuntimeError as error:
            raise PolicyEnforcementError(f"the policy could not be evaluated: {told_by(error)}") from None
        if not isinstance(plan, dict):
            raise PolicyEnforcementError(f"{_PLAN} is undefined or not an object")
        return {"plan": plan}

    def reach(self) -> dict[str, Any]:
        """By module, the lines that something up to now has evaluated (`reached`) and the others (`unreached`)."""
        files = json.loads(self._engine.get_coverage_report_as_json())["files"]
        return {
            "reached": {file["path"]: file["covered"] for file in files},
            "unreached": {file["path"]: file["not_covered"] for file in files},
        }

    def _value_of(self, reference: str) -> Any:
        rows = json.loads(self._engine.eval_query_as_json(reference)).get("result") or []
        return rows[0]["expressions"][0]["value"] if rows else None


def _rules_of(rules: list[Any], source: bytes) -> Iterator[tuple[str, int, int]]:
    for rule in rules:
        [body] = rule.values()
        span = body["span"]
        head = body.get("head")
        reference = next(iter(head.values()))["refr"] if head else body["refr"]
        yield _text(reference, source), span["line"], span["line"] + source[span["start"] : span["end"]].count(b"\n")


def _text(reference: dict[str, Any], source: bytes) -> str:
    [node] = reference.values()
    return source[node["span"]["start"] : node["span"]["end"]].decode()


def _plain(name: str) -> str:
    """`test_x` of `test_x[case]`."""
    return name.partition("[")[0].partition(".")[0]
