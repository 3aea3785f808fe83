"""JSON with // and /* */ comments, as service files and profiles are written; duplicate keys are errors."""
import json
import re

# A string is matched first, so that // inside it stays.
TOKEN = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


class JsoncError(ValueError):
    pass


def parse(text):
    # Comments become blanks of the same shape: line and column of an error stay true.
    plain = TOKEN.sub(lambda m: m.group(1) or re.sub(r"[^\n]", " ", m.group(0)), text)
    try:
        return json.loads(plain, object_pairs_hook=without_duplicates)
    except json.JSONDecodeError as error:
        raise JsoncError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error


def without_duplicates(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise JsoncError(f"the key \"{key}\" stands there twice")
        result[key] = value
    return result
