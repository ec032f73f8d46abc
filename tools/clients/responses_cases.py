"""Responses with openai (Python)."""

import asyncio

from .chat_cases import MODEL, STORY, async_client_of, client_of
from .harness import Counted, case, require, require_equal


def ask(client, **options):
    return client.responses.create(**{"model": MODEL, "input": "Tell me about the cat.",
                                      "max_output_tokens": 200, "extra_body": {"seed": 4}, **options})


def text_of(response):
    parts = [part.text for item in response.output for part in (item.content or [])]
    return "".join(parts)


@case("openai", "responses: plain")
def plain(world):
    response = ask(client_of(world.server), instructions="Be brief.", metadata={"who": "me"})
    require_equal((response.object, response.status), ("response", "completed"))
    require(response.output_text, "no text")
    require_equal((response.instructions, response.metadata), ("Be brief.", {"who": "me"}))
    require_equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens)
    short = ask(client_of(world.server), max_output_tokens=2)
    require_equal((short.status, short.incomplete_details.reason), ("incomplete", "max_output_tokens"))


@case("openai", "responses: streamed")
def streamed(world):
    whole = ask(client_of(world.server))
    events = list(ask(client_of(world.server), stream=True))
    require_equal([e.type for e in events[:2]], ["response.created", "response.in_progress"])
    require_equal([e.sequence_number for e in events], list(range(len(events))), "sequence numbers")
    require_equal(events[-1].type, "response.completed")
    require_equal(text_of(events[-1].response), text_of(whole))
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    require_equal(said, whole.output_text)


def check_stream_helper(client):
    whole = ask(client)
    with client.responses.stream(model=MODEL, input="Tell me about the cat.", max_output_tokens=200,
                                 extra_body={"seed": 4}) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    require_equal(final.output_text, whole.output_text)
    require_equal(final.usage.total_tokens, whole.usage.total_tokens)


@case("openai", "responses: stream() helper")
def stream_helper(world):
    check_stream_helper(client_of(world.server))


@case("openai", "responses: stream() helper of an answer that is cut short")
def stream_helper_cut(world):
    client = client_of(world.server)
    with client.responses.stream(model=MODEL, input="Tell me.", max_output_tokens=3) as stream:
        events = [event.type for event in stream]
    require_equal(events[-1], "response.incomplete")


@case("openai", "responses: beta, parse(), raw")
def beta(world):
    client = client_of(world.server)
    options = {"model": MODEL, "input": "Tell me about the cat.", "max_output_tokens": 200}
    require(client.beta.responses.create(**options).output, "no output")
    require(list(client.beta.responses.create(**options, stream=True))[-1].type == "response.completed")
    require(client.responses.parse(**options).output_parsed is None, "parsed without a format")
    require(client.responses.with_raw_response.create(**options).headers["x-request-id"])


@case("openai", "responses: async, plain, streamed, stream() helper")
def asynchronous(world):
    async def run():
        async with async_client_of(world.server) as client:
            whole = await ask(client)
            events = [event async for event in await ask(client, stream=True)]
            require_equal(text_of(events[-1].response), text_of(whole))
            async with client.responses.stream(model=MODEL, input="Tell me about the cat.",
                                               max_output_tokens=200, extra_body={"seed": 4}) as stream:
                async for _ in stream:
                    pass
                require_equal((await stream.get_final_response()).output_text, whole.output_text)
    asyncio.run(run())


@case("openai", "responses: logprobs")
def logprobs(world):
    response = ask(client_of(world.server), include=["message.output_text.logprobs"], top_logprobs=3)
    tokens = response.output[-1].content[0].logprobs
    require(tokens and all(len(t.top_logprobs) == 3 for t in tokens), "no three each")


@case("openai", "responses: items sent back, usage with what is cached")
def next_turn(world):
    client = client_of(world.server)
    items = [{"role": "user", "content": STORY}]
    first = ask(client, input=items, include=["reasoning.encrypted_content"])
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items.append({"role": "user", "content": [{"type": "input_text", "text": "And then?"}]})
    with Counted(world.server) as counts:
        second = ask(client, input=items)
    cached = second.usage.input_tokens_details.cached_tokens
    require(cached > 128, "nothing cached")
    require_equal(counts["prompt_tokens_cached_total"], cached)
    require_equal(counts["prompt_tokens_total"], second.usage.input_tokens)
    require_equal(counts["generation_tokens_total"], second.usage.output_tokens)


@case("openai", "responses: input_tokens.count is what usage says")
def counted(world):
    client = client_of(world.server)
    options = {"model": MODEL, "input": "Tell me about the cat.", "instructions": "Be brief."}
    count = client.responses.input_tokens.count(**options)
    require_equal(count.object, "response.input_tokens")
    require_equal(count.input_tokens, client.responses.create(**options, max_output_tokens=1).usage.input_tokens)
