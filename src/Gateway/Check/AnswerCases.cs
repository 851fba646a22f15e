using System.Text;
using System.Text.Json;

namespace Gateway.Check;

/// <summary>Cases about what the model answers, and the forms it comes in.</summary>
internal static class AnswerCases
{
    private const string Tool =
        """{"type":"function","name":"look_up","description":"Looks up the capital of a country.","parameters":{"type":"object","properties":{"country":{"type":"string"}},"required":["country"],"additionalProperties":false},"strict":true}""";

    private const string Schema =
        """{"type":"object","properties":{"city":{"type":"string"},"population":{"type":"integer"}},"required":["city","population"],"additionalProperties":false}""";

    /// <summary>A red square of 64 by 64, as PNG.</summary>
    private const string Image =
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsIty/dMYyQi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywI6LQEAwyG+sAAAAABJRU5ErkJggg==";

    /// <summary>A response as JSON.</summary>
    public static async Task<CaseOutcome> BasicAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateAsync(""" "input":"Say hello.","max_output_tokens":256 """);
        Expect.OfModel(response.List("output").Count > 0, "the model said nothing");
        return CaseOutcome.Pass(ResponseRules.Tell(response));
    }

    /// <summary>A response as a stream of events.</summary>
    public static async Task<CaseOutcome> StreamAsync(CheckedGateway gateway)
    {
        var (response, events) = await gateway.StreamAsync(""" "input":"Say hello.","max_output_tokens":256 """);
        Expect.OfModel(response.List("output").Count > 0, "the model said nothing");
        return CaseOutcome.Pass($"{events} events, {ResponseRules.Tell(response)}");
    }

    /// <summary>The model calls a function, and is told its output.</summary>
    public static async Task<CaseOutcome> FunctionCallAsync(CheckedGateway gateway)
    {
        var asked = await gateway.CreateIfAbleAsync($""" "input":"Please call look_up for France.","tools":[{Tool}],"tool_choice":"required","max_output_tokens":1024 """);
        Expect.That(asked.List("tools").Any(tool => tool.Text("name") == "look_up"), "the response does not show the request's tool");
        var call = asked.List("output").FirstOrDefault(item => item.Text("type") == "function_call");
        Expect.OfModel(call.Text("type") is not null, $"the model called no function: {ResponseRules.Tell(asked)}");
        Expect.OfModel(asked.Text("status") == "completed", $"the model was cut in its call: {ResponseRules.Tell(asked)}");
        Expect.That(call.Text("call_id") is { Length: > 0 } && call.Text("arguments") is not null, "the call has no call_id or no arguments");
        Expect.OfModel(call.Text("name") == "look_up", "the model called a function that it was not given");
        Expect.OfModel(JsonReading.Parse(Encoding.UTF8.GetBytes(call.Text("arguments") ?? "")).ValueKind == JsonValueKind.Object, "the model's arguments are no JSON object");
        CheckedGateway.NeedStored(asked);

        var id = JsonReading.Quote(asked.Text("id") ?? "");
        (await gateway.PostAsync("v1/responses", $""" "previous_response_id":{id},"input":"And now?" """)).Refuses("going on without the call's output", 400, null, "input");
        var outputs = asked.List("output").Where(item => item.Text("type") == "function_call")
            .Select(item => $$"""{"type":"function_call_output","call_id":{{JsonReading.Quote(item.Text("call_id") ?? "")}},"output":"Paris"}""");
        var answered = await gateway.CreateIfAbleAsync($""" "previous_response_id":{id},"input":[{string.Join(',', outputs)}],"tools":[{Tool}],"max_output_tokens":256 """);
        Expect.That(answered.Text("previous_response_id") == asked.Text("id"), "the answer to the output has another previous_response_id");
        var input = await gateway.InputItemsAsync(answered.Text("id"));
        Expect.That(input.Any(item => item.Text("type") == "function_call_output" && item.Text("call_id") == call.Text("call_id")), "input_items does not list the call's output");
        return CaseOutcome.Pass($"called with arguments, output taken, {ResponseRules.Tell(answered)}");
    }

    /// <summary>The answer is JSON of a schema.</summary>
    public static async Task<CaseOutcome> StructuredOutputAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateIfAbleAsync(
            $$$""" "input":"Which is the capital of France? Answer as JSON.","max_output_tokens":1024,"text":{"format":{"type":"json_schema","name":"city","strict":true,"schema":{{{Schema}}}}} """);
        var format = response.At("text", "format");
        Expect.That(format.Text("type") == "json_schema" && format.Text("name") == "city" && JsonElement.DeepEquals(format.At("schema"), JsonElement.Parse(Schema)), "the response does not show the request's schema");
        Expect.OfModel(response.Text("status") == "completed", $"the model was cut in its answer: {ResponseRules.Tell(response)}");
        var answer = JsonReading.Parse(Encoding.UTF8.GetBytes(ResponseRules.OutputText(response)));
        Expect.OfModel(answer.ValueKind == JsonValueKind.Object, "the model's answer is no JSON object");
        Expect.OfModel(answer.Text("city") is not null && answer.Number("population") is not null && answer.EnumerateObject().Count() == 2, "the model's answer does not fit the schema");
        return CaseOutcome.Pass($"fits the schema, {ResponseRules.Tell(response)}");
    }

    /// <summary>An effort is taken, and what the model thinks comes as items.</summary>
    public static async Task<CaseOutcome> ReasoningAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateIfAbleAsync(""" "input":"What is 17 times 3?","reasoning":{"effort":"low","summary":"auto"},"max_output_tokens":1024 """);
        Expect.That(response.Text("reasoning", "effort") == "low", "the response does not show the request's effort");
        var items = response.List("output").Where(item => item.Text("type") == "reasoning").ToList();
        Expect.That(items.All(item => item.List("summary").Count > 0), "a reasoning item has no summary, although one was asked for");
        Expect.OfModel(items.Count > 0, "effort taken; no reasoning is told by this model");
        return CaseOutcome.Pass($"{items.Count} reasoning items, {response.Number("usage", "output_tokens_details", "reasoning_tokens") ?? 0} reasoning tokens");
    }

    /// <summary>The model sees an image, or its server says that it can not.</summary>
    public static async Task<CaseOutcome> ImagesAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateIfAbleAsync(
            $$""" "input":[{"role":"user","content":[{"type":"input_text","text":"Which colour is this?"},{"type":"input_image","image_url":"{{Image}}"}]}],"max_output_tokens":256 """);
        if (response.Truth("store") == true)
        {
            var input = await gateway.InputItemsAsync(response.Text("id"));
            Expect.That(input.SelectMany(item => item.List("content")).Any(part => part.Text("image_url") == Image), "input_items does not list the image");
        }

        return CaseOutcome.Pass($"taken, {ResponseRules.Tell(response)}");
    }
}
