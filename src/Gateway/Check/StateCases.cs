using System.Text.Json;

namespace Gateway.Check;

/// <summary>Cases about what the gateway keeps.</summary>
internal static class StateCases
{
    private const int AtOnce = 8;

    /// <summary>
    /// A response goes on from another one. Whether the model makes anything of what was said is not asked: that it was told is seen by the
    /// tokens of its prompt, beside those of the same prompt without it.
    /// </summary>
    public static async Task<CaseOutcome> ChainAsync(CheckedGateway gateway)
    {
        const string said = "Remember this list: apple, pear, plum, cherry, quince, medlar, fig, grape, peach, apricot, orange, lemon, lime, melon, mango, papaya, kiwi, guava.";
        const string asked = "Which was the first?";
        var first = await gateway.CreateStoredAsync($""" "input":"{said}","max_output_tokens":16 """);
        var second = await gateway.CreateStoredAsync($""" "previous_response_id":{JsonReading.Quote(first.Text("id") ?? "")},"input":"{asked}","max_output_tokens":64 """);
        var alone = await gateway.CreateAsync($""" "input":"{asked}","max_output_tokens":16 """);
        Expect.That(second.Text("previous_response_id") == first.Text("id"), "the second response has another previous_response_id");
        Expect.That(second.Text("id") != first.Text("id"), "both responses have one id");
        var input = await gateway.InputItemsAsync(second.Text("id"));
        Expect.That(input.Count == 1 && TextOf(input[0]) == asked, "input_items of the second response is not its own input");
        var (before, chained, without) = (TokensOf(first), TokensOf(second), TokensOf(alone));
        Expect.OfModel(before != without, $"the model server counts {without} tokens whatever it is sent: what it was told is not seen");
        Expect.That(chained > without, $"a prompt of {chained} tokens, and of {without} alone: what was said before is not in it");
        return CaseOutcome.Pass($"a prompt of {chained} tokens, and of {without} alone");

        static long? TokensOf(JsonElement response) => response.Number("usage", "input_tokens");
    }

    /// <summary>What is not to be stored is not.</summary>
    public static async Task<CaseOutcome> StoreFalseAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateAsync(""" "input":"Say hello.","store":false,"max_output_tokens":64 """);
        Expect.That(response.Truth("store") == false, "the response says that it is stored");
        (await gateway.GetResponseAsync(response.Text("id"))).Refuses("GET of what is not stored", 404, null, null);
        await RefusesToGoOnAsync(gateway, response, "going on from what is not stored");
        return CaseOutcome.Pass("not found afterwards");
    }

    /// <summary>A stored response is given as it was made, until it is deleted.</summary>
    public static async Task<CaseOutcome> DeleteAsync(CheckedGateway gateway)
    {
        var response = await gateway.CreateStoredAsync(""" "input":"Say hello.","max_output_tokens":64 """);
        var id = response.Text("id");
        Expect.That(JsonElement.DeepEquals(response, (await gateway.GetResponseAsync(id)).Ok("GET of a stored response")), "GET gives another object than POST did");
        var deleted = (await gateway.DeleteResponseAsync(id)).Ok("DELETE");
        Expect.That(deleted.Text("id") == id && deleted.Truth("deleted") == true, "DELETE does not say what it deleted");
        (await gateway.GetResponseAsync(id)).Refuses("GET of a deleted response", 404, null, null);
        (await gateway.DeleteResponseAsync(id)).Refuses("DELETE of a deleted response", 404, null, null);
        await RefusesToGoOnAsync(gateway, response, "going on from a deleted response");
        return CaseOutcome.Pass("given as made, not found afterwards");
    }

    /// <summary>Responses made at once are each its own.</summary>
    public static async Task<CaseOutcome> ConcurrencyAsync(CheckedGateway gateway)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(i => AskAsync(gateway, i)));
        var made = answers.OfType<JsonElement>().ToList();
        Expect.That(made.DistinctBy(response => response.Text("id")).Count() == made.Count, "two responses have one id");
        Expect.OfModel(made.Count == AtOnce, $"{AtOnce - made.Count} of {AtOnce} were refused by a limit");
        return CaseOutcome.Pass($"{AtOnce} at once, each its own");
    }

    /// <summary>One of the responses; null when a limit of somebody's refused it.</summary>
    private static async Task<JsonElement?> AskAsync(CheckedGateway gateway, int i)
    {
        var said = $"Say the number {i}.";
        var answer = await gateway.PostAsync("v1/responses", $""" "input":"{said}","max_output_tokens":64 """, $"at-once-{i}");
        if (answer.IsError && (answer.Status == 429 || answer.Code == "upstream_overloaded"))
        {
            return null;
        }

        var response = gateway.CheckEnd(answer.Ok("one of several at once"), $"at-once-{i}");
        if (response.Truth("store") == true)
        {
            var stored = (await gateway.GetResponseAsync(response.Text("id"))).Ok("GET of one of several");
            Expect.That(JsonElement.DeepEquals(response, stored), "GET gives another object than POST did");
            var input = await gateway.InputItemsAsync(response.Text("id"));
            Expect.That(input.Count == 1 && TextOf(input[0]) == said, "a response has another one's input");
        }

        return response;
    }

    private static async Task RefusesToGoOnAsync(CheckedGateway gateway, JsonElement response, string what) =>
        (await gateway.PostAsync("v1/responses", $""" "previous_response_id":{JsonReading.Quote(response.Text("id") ?? "")},"input":"And then?" """))
            .Refuses(what, 400, "previous_response_not_found", "previous_response_id");

    private static string TextOf(JsonElement item) => item.Text("content") ?? string.Concat(item.List("content").Select(part => part.Text("text")));
}
