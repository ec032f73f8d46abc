#!/usr/bin/env python3
"""Checks the expected texts in tests/data/templates/language.json against Jinja2.

  tools/template_cases.py            exit 1 when a text differs from Jinja2's
  tools/template_cases.py --write    write Jinja2's texts into the file

The file has the variables that all cases see, and groups of cases: [template, text], where the text
is null when Jinja2 refuses the template or fails to render it.
"""

import argparse
import json
import pathlib
import sys

from check_templates import environment

PATH = pathlib.Path(__file__).resolve().parent.parent / "tests/data/templates/language.json"


def text_of(jinja, template, variables):
    try:
        return jinja.from_string(template).render(**variables)
    except Exception:  # whatever Python says
        return None


def written(data):
    def one(value):
        return json.dumps(value, ensure_ascii=False)

    groups = []
    for name, cases in data["groups"].items():
        lines = ",\n".join(f"  [{one(template)},\n   {one(text)}]" for template, text in cases)
        groups.append(f" {one(name)}: [\n{lines}]")
    variables = ",\n".join(f"  {one(name)}: {one(value)}" for name, value in data["variables"].items())
    joined = ",\n".join(groups)
    return f'{{"variables": {{\n{variables}}},\n"groups": {{\n{joined}}}}}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    data = json.loads(PATH.read_text(encoding="utf-8"))
    jinja = environment()
    differing = 0
    for name, cases in data["groups"].items():
        for case in cases:
            text = text_of(jinja, case[0], data["variables"])
            if text != case[1]:
                differing += 1
                print(f"{name}: {case[0]!r}\n  Jinja2 {text!r}\n  file   {case[1]!r}")
                case[1] = text
    if arguments.write:
        PATH.write_text(written(data), encoding="utf-8")
    sys.exit(differing > 0 and not arguments.write)


if __name__ == "__main__":
    main()
