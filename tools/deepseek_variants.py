"""The variants of DeepSeek's form, for the tools that compare them with the makers' encoder and parser."""

import contextlib
import json
import pathlib
import tempfile

VARIANTS = ("v4", "v4.1")
SYSTEM = "<｜System｜>"
SPARE = "<｜title｜>"


def add_variant(parser):
    parser.add_argument("--variant", choices=VARIANTS, default="v4", help="of DeepSeek's form; with v4.1 a marker of "
                        "the tokenizer that the form has no use for becomes <｜System｜>, if it lacks that")


def golden_file(folder, arguments):
    return folder / f"deepseek_{arguments.variant.replace('.', '')}.json"


@contextlib.contextmanager
def variant_tokenizer(arguments):
    """A file like the one of arguments.tokenizer, with the marker that a model of the variant has."""
    text = pathlib.Path(arguments.tokenizer).read_text(encoding="utf-8")
    spelled = {token["content"] for token in json.loads(text)["added_tokens"]}
    if arguments.variant == "v4" or SYSTEM in spelled:
        yield arguments.tokenizer
        return
    assert SPARE in spelled, f"the tokenizer has neither {SYSTEM} nor {SPARE}"
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(text.replace(SPARE, SYSTEM))
        file.flush()
        yield file.name
