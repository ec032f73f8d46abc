#!/usr/bin/env python3
"""Writes tests/golden/schemas.json: JSON Schemas, documents made for them at random and bent at
random, and what the Python package jsonschema says of each. Documents keep to the order of
`properties` and add no members that a schema does not speak of, as grammars do.

    python3 tests/golden/make_schemas.py > tests/golden/schemas.json
"""
import json
import random

import jsonschema

SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
     "required": ["a"], "additionalProperties": False},
    {"type": "object", "properties": {"x": {"type": "number", "minimum": 0, "maximum": 10},
                                      "y": {"type": ["string", "null"], "maxLength": 3}}},
    {"type": "array", "items": {"type": "integer", "minimum": -7, "maximum": 12}, "minItems": 1,
     "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "string"}], "items": False},
    {"type": "array", "prefixItems": [{"type": "null"}], "items": {"type": "integer"},
     "minItems": 2},
    {"enum": ["red", "green", 3, None, True]},
    {"type": "string", "minLength": 2, "maxLength": 4},
    {"type": "string", "pattern": "^[a-c]{2}\\d*$"},
    {"type": "string", "pattern": "b1"},
    {"anyOf": [{"type": "integer", "exclusiveMinimum": 3}, {"type": "string", "maxLength": 1}]},
    {"$defs": {"tree": {"type": "object", "properties": {
        "v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        "required": ["v"], "additionalProperties": False}}, "$ref": "#/$defs/tree"},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
               {"properties": {"a": {"minimum": 2, "maximum": 30}}}]},
    {"type": "object", "properties": {"k": {"const": "fixed"}},
     "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {"o": {"anyOf": [{"type": "null"}, {
        "type": "object", "properties": {"p": {"type": "array", "items": {"enum": ["u", "v"]},
                                               "maxItems": 2}}, "required": ["p"]}]}},
     "required": ["o"]},
]
DOCUMENTS = 60


def resolve(schema):
    if "$ref" in schema:
        return SCHEMAS[10]["$defs"]["tree"]
    if "allOf" in schema:
        return {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2,
                                                       "maximum": 30}}, "required": ["a"]}
    return schema


def scalar(rng):
    return rng.choice([None, True, False, 0, 1, 4, -3, 11, 25, 1.5, "", "a", "ab1", "cb12", "red",
                       "abcde", "fixed", "é\"\n"])


def value(schema, rng, depth):
    schema = resolve(schema)
    if rng.random() < 0.08:
        return scalar(rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "anyOf" in schema:
        return value(rng.choice(schema["anyOf"]), rng, depth)
    kind = schema.get("type")
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        members = {}
        for name, inner in schema.get("properties", {}).items():
            if rng.random() < (0.93 if name in schema.get("required", []) else 0.6):
                members[name] = value(inner, rng, depth + 1)
        if isinstance(schema.get("additionalProperties"), dict) and rng.random() < 0.5:
            members["more"] = value(schema["additionalProperties"], rng, depth + 1)
        return members
    if kind == "array":
        items = [value(one, rng, depth + 1) for one in schema.get("prefixItems", [])]
        items = items[:rng.randint(0, 3)] if rng.random() < 0.3 else items
        rest = schema.get("items")
        if rest or rng.random() < 0.2:
            for _ in range(rng.randint(0, 1 if depth > 2 else 4)):
                items.append(value(rest, rng, depth + 1) if rest else scalar(rng))
        return items
    if kind == "integer":
        return rng.randint(-10, 32)
    if kind == "number":
        return rng.randint(-20, 120) / 10
    if kind == "string":
        return "".join(rng.choice("abc1d") for _ in range(rng.randint(0, 5)))
    return scalar(rng) if kind is None else {"boolean": rng.random() < 0.5, "null": None}[kind]


def main():
    rng = random.Random(1)
    cases = []
    for schema in SCHEMAS:
        validator = jsonschema.Draft202012Validator(schema)
        documents = {}
        for _ in range(40 * DOCUMENTS):
            if len(documents) == DOCUMENTS:
                break
            document = value(schema, rng, 0)
            separators = rng.choice([(",", ":"), (", ", ": ")])
            indent = 2 if rng.random() < 0.2 else None
            text = json.dumps(document, ensure_ascii=rng.random() < 0.5, indent=indent,
                              separators=separators if indent is None else None)
            documents[text] = validator.is_valid(document)
        cases.append({"schema": schema, "documents": [{"text": text, "is_valid": is_valid}
                                                      for text, is_valid in documents.items()]})
    print(json.dumps(cases, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
