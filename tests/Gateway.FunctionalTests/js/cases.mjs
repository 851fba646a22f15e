// The OpenAI JavaScript SDK, as it comes, against a running gateway: node cases.mjs BASE_URL.
// The upstream answers by what the last user message asks for (see JavaScriptSdkTests).
import assert from 'node:assert/strict';
import http from 'node:http';
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { runCases } from './run-cases.mjs';

const baseURL = process.argv[2];
const client = new OpenAI({ baseURL, apiKey: 'key-js', maxRetries: 0 });
const model = 'scripted';
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city',
  strict: true,
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};

const cases = {
  async create() {
    const response = await client.responses.create({ model, input: 'say Hello, 你好 👋' });
    assert.equal(response.output_text, 'Hello, 你好 👋');
    assert.equal(response.status, 'completed');
    assert.equal(response.usage.total_tokens, 18);
    assert.ok(response._request_id);
  },

  async input_tokens_count() {
    const first = await client.responses.create({ model, input: 'say Hello' });
    const counted = await client.responses.inputTokens.count({ model, input: 'say more', previous_response_id: first.id, tools: [weather] });
    assert.deepEqual({ ...counted }, { object: 'response.input_tokens', input_tokens: 11 });
    await assert.rejects(client.responses.inputTokens.count({ model, input: 'x', previous_response_id: 'resp_none' }), BadRequestError);
  },

  async stream_iterator() {
    const events = [];
    for await (const event of await client.responses.create({ model, input: 'say Hello', stream: true })) {
      events.push(event);
    }
    assert.equal(events[0].type, 'response.created');
    assert.equal(events.at(-1).type, 'response.completed');
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), 'Hello');
  },

  async stream_accumulator() {
    const stream = client.responses.stream({ model, input: 'think Hello' });
    const deltas = [];
    stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
    const final = await stream.finalResponse();
    assert.equal(deltas.join(''), 'Hello');
    assert.equal(final.output_text, 'Hello');
    assert.deepEqual(final.output.map((item) => item.type), ['reasoning', 'message']);
  },

  async stream_accumulator_of_parallel_calls() {
    const final = await client.responses.stream({ model, input: 'call twice', tools: [weather] }).finalResponse();
    assert.deepEqual(final.output.map((item) => item.type), ['function_call', 'function_call']);
    assert.deepEqual(final.output.map((item) => JSON.parse(item.arguments).city), ['Oslo', 'Rome']);
  },

  async tool_round_trip_by_resending_the_output() {
    const input = [{ role: 'user', content: 'call once' }];
    const asked = await client.responses.create({ model, input, tools: [weather], store: false });
    const call = asked.output.find((item) => item.type === 'function_call');
    assert.equal(call.name, 'get_weather');
    const answered = await client.responses.create({
      model, tools: [weather], store: false,
      input: [...input, ...asked.output, { type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
    });
    assert.equal(answered.output_text, 'The tool said sunny');
  },

  async tool_round_trip_streamed_by_previous_response_id() {
    const asked = await client.responses.stream({ model, input: 'call once', tools: [weather] }).finalResponse();
    const call = asked.output.find((item) => item.type === 'function_call');
    const answered = await client.responses.stream({
      model, tools: [weather], previous_response_id: asked.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
    }).finalResponse();
    assert.equal(answered.output_text, 'The tool said sunny');
    assert.equal(answered.previous_response_id, asked.id);
  },

  async previous_response_id_for_three_turns() {
    let previous;
    for (const text of ['say one', 'say two', 'count']) {
      previous = await client.responses.create({ model, input: text, previous_response_id: previous?.id });
    }
    assert.equal(previous.output_text, '5 messages');
  },

  async parse_json_schema() {
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false };
    const response = await client.responses.parse({
      model, input: 'say {"n":1}', text: { format: { type: 'json_schema', name: 'number', strict: true, schema } },
    });
    assert.deepEqual(JSON.parse(response.output_text), { n: 1 });
    assert.equal(response.text.format.name, 'number');
  },

  async retrieve_and_delete() {
    const created = await client.responses.create({ model, input: 'say Hello', metadata: { a: 'b' } });
    const got = await client.responses.retrieve(created.id);
    assert.deepEqual({ ...got, _request_id: 0 }, { ...created, _request_id: 0 });
    await client.responses.delete(created.id);
    await assert.rejects(client.responses.retrieve(created.id), NotFoundError);
  },

  async input_items_paging() {
    const created = await client.responses.create({ model, input: Array.from({ length: 7 }, (_, i) => ({ role: 'user', content: `N${i}` })) });
    const texts = [];
    for await (const item of client.responses.inputItems.list(created.id, { limit: 3, order: 'asc' })) {
      texts.push(item.content[0].text);
    }
    assert.deepEqual(texts, ['N0', 'N1', 'N2', 'N3', 'N4', 'N5', 'N6']);
  },

  async models() {
    const ids = [];
    for await (const found of client.models.list()) {
      ids.push(found.id);
    }
    assert.ok(ids.includes(model), ids.join());
    assert.equal((await client.models.retrieve(model)).id, model);
  },

  async error_classes() {
    await assert.rejects(client.responses.create({ model: 'no-such-model', input: 'Hi' }), (error) =>
      error instanceof BadRequestError && error.code === 'model_not_found' && error.param === 'model' && error.type === 'invalid_request_error');
    await assert.rejects(client.responses.create({ model, input: 'Hi', previous_response_id: 'resp_unknown' }), (error) =>
      error instanceof BadRequestError && error.code === 'previous_response_not_found');
    await assert.rejects(client.responses.retrieve('resp_unknown'), NotFoundError);
    await assert.rejects(new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 }).responses.create({ model, input: 'Hi' }), (error) =>
      error instanceof AuthenticationError && error.code === 'invalid_api_key');
  },

  async failed_stream() {
    const types = [];
    let failed;
    for await (const event of await client.responses.create({ model, input: 'break', stream: true })) {
      types.push(event.type);
      failed = event;
    }
    assert.equal(types.at(-1), 'response.failed');
    assert.ok(failed.response.error.message);
    assert.ok(!(failed.response.error instanceof APIError));
  },

  async incomplete() {
    const final = await client.responses.stream({ model, input: 'cut' }).finalResponse();
    assert.equal(final.status, 'incomplete');
    assert.equal(final.incomplete_details.reason, 'max_output_tokens');
  },

  async background_is_polled() {
    let response = await client.responses.create({ model, input: 'say Hello', background: true });
    assert.equal(response.status, 'queued');
    assert.equal(response.output_text, '');
    while (['queued', 'in_progress'].includes(response.status)) {
      response = await client.responses.retrieve(response.id);
    }
    assert.equal(response.status, 'completed');
    assert.equal(response.output_text, 'Hello');
  },

  async background_stream_is_resumed() {
    const events = [];
    for await (const event of await client.responses.create({ model, input: 'say Hello', background: true, stream: true })) {
      events.push(event);
      if (events.length === 4) {
        break;
      }
    }
    const { id } = events[0].response;
    const rest = await client.responses.retrieve(id, { stream: true, starting_after: events.at(-1).sequence_number });
    for await (const event of rest) {
      events.push(event);
    }
    assert.deepEqual(events.slice(0, 3).map((e) => e.type), ['response.created', 'response.queued', 'response.in_progress']);
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    assert.equal(events.at(-1).type, 'response.completed');
    assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), 'Hello');
    const final = await client.responses.stream({ response_id: id, starting_after: 2 }).finalResponse();
    assert.equal(final.output_text, 'Hello');
  },

  async background_is_cancelled() {
    const stream = await client.responses.create({ model, input: 'hold Hello', background: true, stream: true });
    let id;
    let last;
    let cancelled;
    for await (const event of stream) {
      id ??= event.response.id;
      last = event;
      if (event.type === 'response.output_text.delta') {
        cancelled = await client.responses.cancel(id);
      }
    }
    assert.equal(cancelled.status, 'cancelled');
    assert.equal(last.type, 'response.failed');
    assert.equal(last.response.status, 'cancelled');
    assert.equal(last.response.error, null);
    assert.equal(last.response.output[0].content[0].text, 'Hello');
    assert.equal((await client.responses.cancel(id)).status, 'cancelled');
    const foreground = await client.responses.create({ model, input: 'Hi' });
    await assert.rejects(client.responses.cancel(foreground.id), BadRequestError);
  },

  async conversation_objects() {
    const created = await client.conversations.create({ metadata: { a: 'b' }, items: [{ role: 'user', content: 'N0' }] });
    assert.equal(created.object, 'conversation');
    assert.equal((await client.conversations.retrieve(created.id)).metadata.a, 'b');
    assert.equal((await client.conversations.update(created.id, { metadata: { c: 'd' } })).metadata.c, 'd');
    const deleted = await client.conversations.delete(created.id);
    assert.deepEqual([deleted.id, deleted.object, deleted.deleted], [created.id, 'conversation.deleted', true]);
    await assert.rejects(client.conversations.retrieve(created.id), NotFoundError);
    assert.ok((await client.conversations.create()).id);
  },

  async conversation_items() {
    const { id } = await client.conversations.create();
    for (let n = 0; n < 45; n += 15) {
      const items = Array.from({ length: 15 }, (_, i) => ({ type: 'message', role: 'user', content: `N${n + i}` }));
      const added = await client.conversations.items.create(id, { items, include: ['message.input_image.image_url'] });
      assert.equal(added.data.length, 15);
      assert.equal(added.last_id, added.data.at(-1).id);
    }
    for (const order of ['asc', 'desc', undefined]) {
      const texts = [];
      for await (const item of client.conversations.items.list(id, { limit: 20, order })) {
        texts.push(item.content[0].text);
      }
      const expected = Array.from({ length: 45 }, (_, n) => `N${n}`);
      assert.deepEqual(texts, order === 'asc' ? expected : expected.reverse());
    }
    const { data: [last] } = await client.conversations.items.list(id, { limit: 1 });
    assert.deepEqual(await client.conversations.items.retrieve(last.id, { conversation_id: id }).then(({ _request_id, ...item }) => item), last);
    assert.equal((await client.conversations.items.delete(last.id, { conversation_id: id })).id, id);
    await assert.rejects(client.conversations.items.retrieve(last.id, { conversation_id: id }), NotFoundError);
  },

  async conversation_of_responses() {
    const conversation = await client.conversations.create();
    const first = await client.responses.create({ model, input: 'say one', conversation: conversation.id });
    assert.equal(first.conversation.id, conversation.id);
    const final = await client.responses.stream({ model, input: 'count', conversation: { id: conversation.id } }).finalResponse();
    assert.equal(final.output_text, '3 messages');
    assert.equal(final.conversation.id, conversation.id);
    const items = [];
    for await (const item of client.conversations.items.list(conversation.id, { order: 'asc' })) {
      items.push(item);
    }
    assert.deepEqual(items.map((item) => item.content[0].text), ['say one', 'one', 'count', '3 messages']);
    assert.equal(items[1].id, first.output[0].id);
    await assert.rejects(client.responses.create({ model, input: 'Hi', conversation: conversation.id, previous_response_id: first.id }), (error) =>
      error instanceof BadRequestError && error.code === 'mutually_exclusive_parameters');
  },

  async conversation_tool_round_trip() {
    const { id } = await client.conversations.create();
    const asked = await client.responses.stream({ model, input: 'call once', tools: [weather], conversation: id }).finalResponse();
    const call = asked.output.find((item) => item.type === 'function_call');
    const answered = await client.responses.create({
      model, conversation: id, input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
    });
    assert.equal(answered.output_text, 'The tool said sunny');
    await assert.rejects(client.responses.create({ model, conversation: id, input: [call] }), (error) =>
      error instanceof BadRequestError && error.message.includes(`Duplicate item found with id ${call.id}`));
  },

  async websocket_upgrade_is_426() {
    const status = await new Promise((resolve, reject) => {
      const request = http.get(`${baseURL}/responses`, {
        headers: {
          Authorization: 'Bearer key-js', Connection: 'Upgrade', Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      }, (response) => resolve(response.resume().statusCode));
      request.on('upgrade', () => resolve(101)).on('error', reject);
    });
    assert.equal(status, 426);
  },
};

await runCases(cases);
