"""Messages with anthropic (Python)."""

import asyncio

import anthropic

from .chat_cases import STORY
from .harness import Counted, case, require, require_equal

MODEL = "claude-next"  # any name is good
QUESTION = [{"role": "user", "content": "Tell me about the cat."}]
SEED = {"seed": 4}


def client_of(server, **options):
    return anthropic.Anthropic(base_url=server.url, **{"api_key": "none", "max_retries": 0, **options})


def async_client_of(server, **options):
    return anthropic.AsyncAnthropic(base_url=server.url, **{"api_key": "none", "max_retries": 0, **options})


def options_of(**options):
    return {"model": MODEL, "max_tokens": 200, "messages": QUESTION, "extra_body": SEED, **options}


def text_of(message):
    return [getattr(block, "thinking", None) or getattr(block, "text", "") for block in message.content]


def prompt_tokens(usage):
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens


@case("anthropic", "messages: plain")
def plain(world):
    message = client_of(world.server).messages.create(**options_of(system="Be brief."))
    require_equal((message.type, message.role, message.stop_reason), ("message", "assistant", "end_turn"))
    require_equal(message.content[-1].type, "text")
    require(message._request_id, "no request-id")
    short = client_of(world.server).messages.create(**options_of(max_tokens=2))
    require_equal((short.stop_reason, short.usage.output_tokens), ("max_tokens", 2))


@case("anthropic", "messages: streamed")
def streamed(world):
    whole = client_of(world.server).messages.create(**options_of())
    events = list(client_of(world.server).messages.create(**options_of(stream=True)))
    require_equal((events[0].type, events[-1].type), ("message_start", "message_stop"))
    said = [e.delta for e in events if e.type == "content_block_delta"]
    require_equal("".join(getattr(d, "thinking", None) or getattr(d, "text", "") for d in said),
                  "".join(text_of(whole)))
    require_equal(events[-2].usage.output_tokens, whole.usage.output_tokens)


def check_stream_helper(messages):
    whole = messages.create(**options_of())
    with messages.stream(**options_of()) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()
        require_equal(stream.get_final_text(), whole.content[-1].text)
    require({"text", "content_block_stop", "message_stop"} <= kinds, f"events {kinds}")
    require_equal(text_of(final), text_of(whole))
    require_equal((final.stop_reason, final.usage.output_tokens), (whole.stop_reason, whole.usage.output_tokens))
    with messages.stream(**options_of()) as stream:
        require_equal("".join(stream.text_stream), whole.content[-1].text)


@case("anthropic", "messages: stream() helper")
def stream_helper(world):
    check_stream_helper(client_of(world.server).messages)


@case("anthropic", "messages: beta create, stream(), count_tokens, models")
def beta(world):
    client = client_of(world.server)
    check_stream_helper(client.beta.messages)
    message = client.beta.messages.create(**options_of(betas=["interleaved-thinking-2025-05-14"]))
    count = client.beta.messages.count_tokens(model=MODEL, messages=QUESTION)
    require_equal(count.input_tokens, prompt_tokens(message.usage))
    require_equal([m.id for m in client.beta.models.list()], [m.id for m in client.models.list()])


@case("anthropic", "messages: beta tool_runner")
def tool_runner(world):
    @anthropic.beta_tool
    def look(where: str) -> str:
        """Looks somewhere.

        Args:
            where: a place
        """
        return "a cat in " + where
    runner = client_of(world.server).beta.messages.tool_runner(
        model=MODEL, max_tokens=100, messages=QUESTION, tools=[look])
    require(runner.until_done().content, "nothing said")


@case("anthropic", "messages: async, plain, streamed, stream() helper")
def asynchronous(world):
    async def run():
        async with async_client_of(world.server) as client:
            whole, again = await asyncio.gather(client.messages.create(**options_of()),
                                                client.messages.create(**options_of()))
            require_equal(text_of(again), text_of(whole))
            events = [e async for e in await client.messages.create(**options_of(stream=True))]
            require_equal(events[-1].type, "message_stop")
            async with client.messages.stream(**options_of()) as stream:
                require_equal("".join([t async for t in stream.text_stream]), whole.content[-1].text)
                require_equal(text_of(await stream.get_final_message()), text_of(whole))
            count = await client.messages.count_tokens(model=MODEL, messages=QUESTION)
            require_equal(count.input_tokens, prompt_tokens(whole.usage))
    asyncio.run(run())


@case("anthropic", "messages: stop sequences")
def stops(world):
    client = client_of(world.server)
    messages = [{"role": "user", "content": STORY + "Tell it again."}]
    options = options_of(messages=messages, thinking={"type": "disabled"})
    whole = client.messages.create(**options).content[-1].text
    require(len(whole) > 8, f"too little to cut: {whole!r}")
    stop = whole[4:7]
    message = client.messages.create(**options, stop_sequences=[stop, "never said"])
    require_equal((message.stop_reason, message.stop_sequence), ("stop_sequence", stop))
    require_equal(message.content[-1].text, whole[:whole.index(stop)])
    with client.messages.stream(**options, stop_sequences=[stop]) as stream:
        require_equal(stream.get_final_message().stop_sequence, stop)


@case("anthropic", "messages: thinking, its block sent back, usage with what is cached")
def next_turn(world):
    client = client_of(world.server)
    messages = [{"role": "user", "content": STORY}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = client.messages.create(**options_of(messages=messages, max_tokens=2000, thinking=thinking))
    require_equal([b.type for b in first.content], ["thinking", "text"])
    require(first.content[0].signature, "no signature")
    messages = [*messages, {"role": "assistant", "content": first.content},
                {"role": "user", "content": [{"type": "text", "text": "And then?",
                                              "cache_control": {"type": "ephemeral"}}]}]
    with Counted(world.server) as counts:
        second = client.messages.create(**options_of(messages=messages, thinking=thinking, max_tokens=2000))
    require(second.usage.cache_read_input_tokens > 128, "nothing cached")
    require_equal(counts["prompt_tokens_cached_total"], second.usage.cache_read_input_tokens)
    require_equal(counts["prompt_tokens_total"], prompt_tokens(second.usage))
    require_equal(counts["generation_tokens_total"], second.usage.output_tokens)
    counted = client.messages.count_tokens(model=MODEL, messages=messages, thinking=thinking)
    require_equal(counted.input_tokens, prompt_tokens(second.usage))


@case("anthropic", "messages: system in the middle, blocks, results of calls")
def conversations(world):
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "system", "content": "The user is at home."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a cat"},
                                     {"type": "text", "text": "And now?"}]},
    ]
    system = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    message = client_of(world.server).messages.create(**options_of(messages=messages, system=system))
    require(message.usage.output_tokens > 0, "nothing said")


@case("anthropic", "models: list, retrieve")
def models(world):
    client = client_of(world.server)
    listed = list(client.models.list(limit=10))
    require_equal(len(listed), 1)
    found = client.models.retrieve(MODEL)
    require_equal((found.id, found.type, found.lifecycle), (listed[0].id, "model", "active"))
    require(found.created_at.year >= 1970 and found.display_name, "no time or name")
