// MCP tools through the OpenAI JavaScript SDK, as it comes: node mcp.mjs BASE_URL MCP_URL OTHER_MCP_URL.
// The upstream makes the calls that the last user message lists as JSON, says what the tools answered, and goes on for ever when told to loop
// (see JavaScriptMcpTests).
import assert from 'node:assert/strict';
import OpenAI, { APIError, BadRequestError } from 'openai';
import { runCases } from './run-cases.mjs';

const [baseURL, serverURL, otherURL] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 });
const model = 'scripted';
const srv = { type: 'mcp', server_label: 'srv', server_url: serverURL, require_approval: 'never' };
const other = { type: 'mcp', server_label: 'other', server_url: otherURL, require_approval: 'never', authorization: 'secret' };
const weather = { type: 'function', name: 'get_weather', strict: false, parameters: { type: 'object', properties: {} } };
const calls = (...list) => JSON.stringify(list);
const echo = (message) => ['srv__echo', { message }];
const types = (response) => response.output.map((item) => item.type);

// Each case runs in the three ways that clients use.
const ways = {
  create: (body) => client.responses.create(body),

  async iterator(body) {
    let last;
    let n = 0;
    for await (const event of await client.responses.create({ ...body, stream: true })) {
      assert.equal(event.sequence_number, n++);
      last = event;
    }
    assert.match(last.type, /^response\.(completed|incomplete|failed)$/);
    return last.response;
  },

  accumulator: (body) => client.responses.stream(body).finalResponse(),
};

const inEveryWay = {
  async lists_calls_and_answers(run) {
    const response = await run({ model, input: calls(echo('你好 👋')), tools: [srv] });
    assert.deepEqual(types(response), ['mcp_list_tools', 'mcp_call', 'message']);
    const [list, call, message] = response.output;
    assert.deepEqual(list.tools.map((tool) => tool.name), ['echo', 'add', 'failing']);
    assert.equal(list.tools[0].input_schema.properties.message.type, 'string');
    assert.equal(list.server_label, 'srv');
    assert.equal(call.name, 'echo');
    assert.equal(call.output, 'Echo: 你好 👋');
    assert.deepEqual(JSON.parse(call.arguments), { message: '你好 👋' });
    assert.equal(call.status, 'completed');
    assert.equal(message.content[0].text, 'The tools said Echo: 你好 👋');
    assert.equal(response.usage.total_tokens, 36);
  },

  async approval_round_trip(run) {
    const tools = [{ ...srv, require_approval: 'always' }];
    const asked = await run({ model, input: calls(echo('hi')), tools });
    const request = asked.output.at(-1);
    assert.equal(request.type, 'mcp_approval_request');
    assert.equal(request.name, 'echo');
    const answer = { model, tools, previous_response_id: asked.id, input: [{ type: 'mcp_approval_response', approval_request_id: request.id, approve: true }] };
    const answered = await run(answer);
    assert.deepEqual(types(answered), ['mcp_call', 'message']);
    assert.equal(answered.output[0].approval_request_id, request.id);
    assert.equal(answered.output[0].output, 'Echo: hi');
    assert.equal(answered.output[1].content[0].text, 'The tools said Echo: hi');
    await assert.rejects(run(answer), (error) => error instanceof BadRequestError && error.param === 'input[0].approval_request_id');
  },

  async approval_refused(run) {
    const tools = [{ ...srv, require_approval: { always: { tool_names: ['echo'] }, never: { tool_names: ['add'] } } }];
    const asked = await run({ model, input: calls(echo('hi')), tools });
    const answered = await run({
      model, tools, previous_response_id: asked.id,
      input: [{ type: 'mcp_approval_response', approval_request_id: asked.output.at(-1).id, approve: false, reason: 'Too loud' }],
    });
    assert.deepEqual(types(answered), ['message']);
    assert.match(answered.output[0].content[0].text, /declined this tool call: Too loud/);
  },

  async approval_by_resending_the_output(run) {
    const tools = [{ ...srv, require_approval: 'always' }];
    const input = [{ role: 'user', content: calls(echo('hi')) }];
    const asked = await run({ model, input, tools, store: false });
    const answered = await run({
      model, tools, store: false,
      input: [...input, ...asked.output, { type: 'mcp_approval_response', approval_request_id: asked.output.at(-1).id, approve: true }],
    });
    assert.deepEqual(types(answered), ['mcp_call', 'message']);
    assert.equal(answered.output[1].content[0].text, 'The tools said Echo: hi');
  },

  async function_and_mcp_call_in_one_round(run) {
    const tools = [srv, weather];
    const asked = await run({ model, input: calls(echo('hi'), ['get_weather', { city: 'Oslo' }]), tools });
    assert.deepEqual(types(asked), ['mcp_list_tools', 'mcp_call', 'function_call']);
    const answered = await run({
      model, tools, previous_response_id: asked.id,
      input: [{ type: 'function_call_output', call_id: asked.output[2].call_id, output: 'rain' }],
    });
    assert.equal(answered.output[0].content[0].text, 'The tools said Echo: hi, rain');
  },

  async failed_call(run) {
    const response = await run({ model, input: calls(['srv__failing', {}]), tools: [srv] });
    const call = response.output[1];
    assert.equal(call.status, 'failed');
    assert.equal(call.error, 'The tool failed.');
    assert.equal(call.output, null);
    assert.equal(response.status, 'completed');
  },

  async max_tool_calls(run) {
    const response = await run({ model, input: 'loop', tools: [srv], max_tool_calls: 2 });
    assert.deepEqual(types(response), ['mcp_list_tools', 'mcp_call', 'mcp_call', 'message']);
    assert.equal(response.status, 'completed');
    assert.equal(response.max_tool_calls, 2);
  },

  async two_servers(run) {
    const response = await run({ model, input: calls(['other__echo', {}], echo('hi'), ['srv__add', { a: 1, b: 2 }]), tools: [srv, other] });
    assert.deepEqual(types(response), ['mcp_list_tools', 'mcp_list_tools', 'mcp_call', 'mcp_call', 'mcp_call', 'message']);
    assert.deepEqual(response.output.filter((item) => item.type === 'mcp_call').map((item) => [item.server_label, item.name, item.output]), [
      ['other', 'echo', 'I am the other.'], ['srv', 'echo', 'Echo: hi'], ['srv', 'add', '3'],
    ]);
    assert.ok(!JSON.stringify(response).includes('secret'));
  },

  async next_turn_by_resending_the_output(run) {
    const input = [{ role: 'user', content: calls(echo('hi')) }];
    const first = await run({ model, input, tools: [srv], store: false });
    const second = await run({ model, tools: [srv], store: false, input: [...input, ...first.output, { role: 'user', content: 'roles' }] });
    assert.equal(second.output[0].content[0].text, 'user assistant tool assistant user');
  },
};

const once = {
  async accumulator_emits_mcp_events() {
    const seen = [];
    const stream = client.responses.stream({ model, input: calls(echo('hi')), tools: [srv] });
    for (const type of ['mcp_list_tools.completed', 'mcp_call.in_progress', 'mcp_call_arguments.done', 'mcp_call.completed']) {
      stream.on(`response.${type}`, (event) => seen.push([type, event.output_index]));
    }
    await stream.finalResponse();
    assert.deepEqual(seen, [['mcp_list_tools.completed', 0], ['mcp_call.in_progress', 1], ['mcp_call_arguments.done', 1], ['mcp_call.completed', 1]]);
  },

  async retrieve_gives_the_same_items() {
    const created = await client.responses.create({ model, input: calls(echo('hi')), tools: [srv] });
    const got = await client.responses.retrieve(created.id);
    assert.deepEqual(got.output, created.output);
  },

  async server_that_does_not_list() {
    const body = { model, input: 'Hi', tools: [{ ...other, authorization: 'wrong' }] };
    await assert.rejects(client.responses.create(body), (error) =>
      error instanceof APIError && error.status === 424 && error.code === 'http_error' && error.type === 'external_connector_error' && error.param === 'tools');
    const final = await ways.iterator(body);
    assert.equal(final.status, 'failed');
    assert.equal(final.error.code, 'http_error');
    assert.equal(final.output[0].type, 'mcp_list_tools');
  },

  async unreachable_address_names_the_tool() {
    await assert.rejects(client.responses.create({ model, input: 'Hi', tools: [srv, { ...srv, server_label: 'private', server_url: 'http://169.254.169.254/mcp' }] }),
      (error) => error instanceof BadRequestError && error.param === 'tools[1].server_url');
  },
};

await runCases({
  ...Object.fromEntries(Object.entries(inEveryWay).flatMap(([name, test]) => Object.entries(ways).map(([way, run]) => [`${name}_by_${way}`, () => test(run)]))),
  ...once,
});
