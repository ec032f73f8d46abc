"""Completions with openai (Python)."""

import asyncio

from .chat_cases import MODEL, async_client_of, client_of
from .harness import Counted, case, require, require_equal

PROMPTS = ["The cat", "A dog ran"]


def complete(client, **options):
    return client.completions.create(**{"model": MODEL, "prompt": "The cat", "max_tokens": 8, **options})


def texts_of(chunks, count):
    return ["".join(c.text for chunk in chunks for c in chunk.choices if c.index == i) for i in range(count)]


@case("openai", "completions: plain, streamed, async")
def plain(world):
    answer = complete(client_of(world.server), seed=1)
    require(answer.choices[0].text, "no text")
    chunks = list(complete(client_of(world.server), seed=1, stream=True, stream_options={"include_usage": True}))
    require_equal(texts_of(chunks, 1), [answer.choices[0].text])
    require_equal(chunks[-1].usage.total_tokens, answer.usage.total_tokens)

    async def run():
        async with async_client_of(world.server) as client:
            require_equal((await complete(client, seed=1)).choices[0].text, answer.choices[0].text)
            chunks = [chunk async for chunk in await complete(client, seed=1, stream=True)]
            require_equal(texts_of(chunks, 1), [answer.choices[0].text])
    asyncio.run(run())


@case("openai", "completions: lists of texts and of ids, n")
def lists(world):
    client = client_of(world.server)
    ids = [world.server.json("/tokenize", {"prompt": p})["tokens"] for p in PROMPTS]
    of_texts = complete(client, prompt=PROMPTS, n=2, seed=1)
    require_equal([c.index for c in of_texts.choices], [0, 1, 2, 3])
    of_ids = complete(client, prompt=ids, n=2, seed=1)
    require_equal([c.text for c in of_ids.choices], [c.text for c in of_texts.choices])
    require_equal(complete(client, prompt=ids[0], seed=1).choices[0].text, of_texts.choices[0].text)
    chunks = list(complete(client, prompt=PROMPTS, n=2, seed=1, stream=True))
    require_equal(texts_of(chunks, 4), [c.text for c in of_texts.choices])


@case("openai", "completions: echo and logprobs, as evaluations ask")
def echo(world):
    client = client_of(world.server)
    answer = complete(client, prompt=PROMPTS, echo=True, logprobs=3, max_tokens=0)
    for choice, prompt in zip(answer.choices, PROMPTS):
        require(choice.text.endswith(prompt), f"no echo: {choice.text!r}")
        logprobs = choice.logprobs
        require(logprobs.token_logprobs[0] is None and all(p <= 0 for p in logprobs.token_logprobs[1:]))
        lists = (logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, logprobs.text_offset)
        require_equal(len({len(one) for one in lists}), 1, "lengths of the lists")
        for token, offset in zip(logprobs.tokens[1:], logprobs.text_offset[1:]):
            require(choice.text[offset:].startswith(token), "an offset is not its token's")
    longer = complete(client, prompt=PROMPTS[0], echo=True, logprobs=1, max_tokens=4, seed=1)
    chunks = list(complete(client, prompt=PROMPTS[0], echo=True, logprobs=1, max_tokens=4, seed=1, stream=True))
    require_equal(texts_of(chunks, 1), [longer.choices[0].text])


@case("openai", "completions: echo begins with the prompt as it was sent")
def echo_as_sent(world):
    answer = complete(client_of(world.server), echo=True)
    require(answer.choices[0].text.startswith("The cat"), f"begins with {answer.choices[0].text[:40]!r}")


@case("openai", "completions: usage is what /metrics counts")
def usage(world):
    prompt = "A small dog went to the river with a cat. " * 40
    for i in range(2):
        with Counted(world.server) as counts:
            found = complete(client_of(world.server), prompt=prompt).usage
        require_equal(counts["prompt_tokens_total"], found.prompt_tokens)
        require_equal(counts["prompt_tokens_cached_total"], found.prompt_tokens_details.cached_tokens)
        require_equal(found.prompt_tokens_details.cached_tokens > 0, i == 1, "cached")
