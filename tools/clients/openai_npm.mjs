// Runs one case of openai (npm): openai_npm.mjs FOLDER_OF_NODE_MODULES URL NAME

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, name] = process.argv.slice(2);
const path = createRequire(folder + "/").resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(path));
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries: 0 });
const chat = { model: "gpt-5", messages: [{ role: "user", content: "Tell me about the cat." }], max_tokens: 200, seed: 4 };
const response = { model: "gpt-5", input: "Tell me about the cat.", max_output_tokens: 200, seed: 4 };

const textOf = (r) => r.output.flatMap((item) => item.content ?? []).map((part) => part.text).join("");

async function collect(stream) {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
}

const cases = {
  async plain() {
    const answer = await client.chat.completions.create({ ...chat, n: 2, logprobs: true, top_logprobs: 2 });
    assert.equal(answer.choices.length, 2);
    assert.ok(answer.choices[0].message.content);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.ok(answer._request_id);
  },

  async streamed() {
    const whole = await client.chat.completions.create(chat);
    const chunks = await collect(
      await client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } }));
    const said = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
    assert.equal(said, whole.choices[0].message.content);
    assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
  },

  async "stream helper"() {
    const whole = await client.chat.completions.create(chat);
    const stream = client.chat.completions.stream({ ...chat, stream_options: { include_usage: true } });
    let said = "";
    stream.on("content", (delta) => { said += delta; });
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
    assert.equal(said, whole.choices[0].message.content);
    assert.equal((await stream.totalUsage()).total_tokens, whole.usage.total_tokens);
    const parsed = await client.chat.completions.parse(chat);
    assert.equal(parsed.choices[0].message.content, whole.choices[0].message.content);
    const runner = client.chat.completions.runTools({
      ...chat,
      tools: [{ type: "function", function: { name: "look", parameters: {}, function: () => "a cat", parse: JSON.parse } }],
    });
    assert.ok(await runner.finalContent());
  },

  async responses() {
    const answer = await client.responses.create({ ...response, instructions: "Be brief." });
    assert.equal(answer.status, "completed");
    assert.ok(answer.output_text);
    const parsed = await client.responses.parse(response);
    assert.ok(parsed.output_text);
  },

  async "responses streamed"() {
    const whole = await client.responses.create(response);
    const events = await collect(await client.responses.create({ ...response, stream: true }));
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    assert.equal(events.at(-1).type, "response.completed");
    assert.equal(textOf(events.at(-1).response), textOf(whole));
  },

  async "responses.stream helper"() {
    const whole = await client.responses.create(response);
    const stream = client.responses.stream(response);
    const kinds = new Set((await collect(stream)).map((e) => e.type));
    assert.ok(kinds.has("response.output_text.delta"));
    assert.equal(textOf(await stream.finalResponse()), textOf(whole));
  },

  async completions() {
    const asked = { model: "m", prompt: ["The cat", "A dog"], max_tokens: 8, seed: 1, logprobs: 1 };
    const whole = await client.completions.create(asked);
    const chunks = await collect(await client.completions.create({ ...asked, stream: true }));
    for (const i of [0, 1]) {
      const said = chunks.flatMap((c) => c.choices).filter((c) => c.index === i).map((c) => c.text).join("");
      assert.equal(said, whole.choices[i].text);
    }
  },

  async models() {
    const listed = await collect(client.models.list());
    assert.equal(listed.length, 1);
    assert.equal((await client.models.retrieve("gpt-5")).id, listed[0].id);
  },

  async errors() {
    await assert.rejects(client.chat.completions.create({ ...chat, temperature: 200 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "temperature");
      return true;
    });
    await assert.rejects(client.chat.completions.stream({ ...chat, temperature: 200 }).finalChatCompletion(),
      OpenAI.BadRequestError);
    await assert.rejects(client.embeddings.create({ model: "m", input: "x" }), OpenAI.NotFoundError);
  },

  async leaving() {
    const endless = { ...chat, max_tokens: 500_000, ignore_eos: true };
    const stream = await client.chat.completions.create({ ...endless, stream: true });
    let count = 0;
    for await (const _ of stream) if (++count === 20) break;
    await assert.rejects(client.chat.completions.create(endless, { timeout: 500 }), OpenAI.APIConnectionTimeoutError);
    const helper = client.chat.completions.stream(endless);
    helper.on("chunk", () => { if (++count === 40) helper.abort(); });
    await assert.rejects(helper.finalChatCompletion(), OpenAI.APIUserAbortError);
  },
};

await cases[name]();
