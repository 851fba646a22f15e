namespace Gateway.Check;

/// <summary>Cases about responses that nobody waits for.</summary>
internal static class BackgroundCases
{
    /// <summary>Accepted at once, asked for until it is over.</summary>
    public static async Task<CaseOutcome> BackgroundAsync(CheckedGateway gateway)
    {
        var id = await BeginAsync(gateway, """ "input":"Say hello.","background":true,"max_output_tokens":64 """);
        var response = gateway.CheckEnd(await gateway.WaitForEndAsync(id));
        Expect.That(response.Truth("background") == true, "the response does not say that it was made in the background");
        return CaseOutcome.Pass(ResponseRules.Tell(response));
    }

    /// <summary>Cancelled, and said again; a response of the foreground can not be.</summary>
    public static async Task<CaseOutcome> CancelAsync(CheckedGateway gateway)
    {
        var id = await BeginAsync(gateway, """ "input":"Count from one to one thousand, in words.","background":true,"max_output_tokens":256 """);
        var first = (await gateway.PostRawAsync($"v1/responses/{id}/cancel", "{}")).Ok("POST cancel");
        Expect.That(first.Text("id") == id, "cancel answers with another response");
        var ended = await gateway.WaitForEndAsync(id);
        var again = (await gateway.PostRawAsync($"v1/responses/{id}/cancel", "{}")).Ok("POST cancel, again");
        Expect.That(again.Text("status") == ended.Text("status"), $"cancelled again, a response that was {ended.Text("status")} is {again.Text("status")}");
        Expect.That(ended.Text("status") == "cancelled" || ResponseRules.IsMade(ended), $"the response ended as {ended.Text("status")}");

        var foreground = await gateway.CreateStoredAsync(""" "input":"Say hello.","max_output_tokens":16 """);
        (await gateway.PostRawAsync($"v1/responses/{foreground.Text("id")}/cancel", "{}")).Refuses("cancel of a foreground response", 400, null, null);
        return CaseOutcome.Pass(ended.Text("status") == "cancelled" ? "cancelled" : $"had ended before: {ended.Text("status")}");
    }

    private static async Task<string?> BeginAsync(CheckedGateway gateway, string members)
    {
        var answer = await gateway.PostAsync("v1/responses", members);
        if (answer is { Status: 400, Code: "unsupported_value" } && answer.Json.Text("error", "param") is "background" or "store")
        {
            throw new CaseEndedException(CaseOutcome.Skipped("nothing is stored with this key"));
        }

        var response = answer.Ok("POST with background");
        ResponseRules.Check(response, gateway.Model);
        Expect.That(response.Text("status") is "queued" or "in_progress", $"a background response begins as {response.Text("status")}");
        return response.Text("id");
    }
}
