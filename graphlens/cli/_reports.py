"""The verdict in the forms that pipelines read: JUnit's XML and SARIF."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import graphlens
from graphlens.cli import visible
from graphlens.cli._verdict import text_of
from graphlens.plain import Answer

RULES = {
    "nan": "A NaN was born, and reached a loss, a gradient, a parameter or an output.",
    "inf": "An infinity was born, and reached a loss, a gradient, a parameter or an output.",
}


def junit(answer: Answer) -> str:
    """One test case, which fails where something harmful was found, and is skipped where it is not sure."""
    suite = ElementTree.Element("testsuite", name="graphlens", tests="1", errors="0")
    case = ElementTree.SubElement(suite, "testcase", classname="graphlens", name="finite numbers")
    words = "\n".join(visible(line) for line in text_of(answer, "run"))
    found, skipped = answer["status"] == "found", answer["status"] == "incomplete"
    suite.set("failures", str(int(found)))
    suite.set("skipped", str(int(skipped)))
    if found:
        failure = ElementTree.SubElement(
            case, "failure", type=answer["origin"]["kind"], message=headline(answer)
        )
        failure.text = words
    elif skipped:
        ElementTree.SubElement(case, "skipped", message=visible(words.splitlines()[0]))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def sarif(answer: Answer) -> str:
    """One result for each origin, at its line; see the OASIS standard, version 2.1.0."""
    origins = [answer["origin"], *answer["others"]] if answer["origin"] is not None else []
    rules = [{"id": f"graphlens/{kind}", "shortDescription": {"text": text}} for kind, text in RULES.items()]
    return json.dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {"name": "graphlens", "version": graphlens.__version__, "rules": rules}
                    },
                    "results": [_result(one, answer) for one in origins],
                }
            ],
        },
        indent=1,
    )


def _result(origin: Answer, answer: Answer) -> Answer:
    result: Answer = {
        "ruleId": f"graphlens/{origin['kind']}",
        "level": "error",
        "message": {"text": headline({**answer, "origin": origin})},
    }
    if origin["file"]:
        place = {"artifactLocation": {"uri": origin["file"]}, "region": {"startLine": origin["line"]}}
        result["locations"] = [{"physicalLocation": place}]
    return result


def headline(answer: Answer) -> str:
    """The verdict in one line."""
    origin = answer["origin"]
    what = {"nan": "NaN", "inf": "infinity"}[origin["kind"]]
    step = "before the first step" if origin["step"] is None else f"in step {origin['step']}"
    cause = f": {origin['cause']}" if origin["cause"] else ""
    return visible(f"{what} born in {origin['op']} ({origin['phase']}) {step}{cause}")
