namespace Gateway.Check;

/// <summary>Cases about the gateway itself: readiness, models, counting, errors, base paths.</summary>
internal static class ServiceCases
{
    /// <summary>Up, configured, its store reached.</summary>
    public static async Task<CaseOutcome> HealthAsync(CheckedGateway gateway)
    {
        var answer = await gateway.GetAsync("health/ready");
        if (answer.Status == 404)
        {
            return CaseOutcome.Skipped("/health/ready is not let through here");
        }

        var parts = answer.Json.At("parts") is { ValueKind: System.Text.Json.JsonValueKind.Object } all
            ? string.Join(", ", all.EnumerateObject().Select(part => $"{part.Name} {part.Value.Text("status")}"))
            : "no parts";
        Expect.That(answer.IsOk && answer.Json.Text("status") == "ok", $"{answer.Status}: {parts}");
        return CaseOutcome.Pass($"ready: {parts}");
    }

    /// <summary>The list, and an entry of it alone.</summary>
    public static async Task<CaseOutcome> ModelsAsync(CheckedGateway gateway)
    {
        var list = (await gateway.GetAsync("v1/models")).Ok("GET /v1/models");
        var models = list.List("data");
        Expect.That(list.Text("object") == "list" && models.All(model => model.Text("object") == "model" && model.Text("id") is not null
            && model.Number("created") is not null && model.Text("owned_by") is not null), "the list is not of models with id, created and owned_by");
        Expect.That(models.Count > 0 || gateway.IsModelNamed, "no model is listed: is a model server up?");
        var listed = models.FirstOrDefault(model => model.Text("id") == gateway.Model);
        if (listed.Text("id") is null)
        {
            Expect.That(gateway.IsModelNamed, "the list has changed");
            return CaseOutcome.Pass($"{models.Count} listed; {gateway.Model} is not among them");
        }

        var alone = (await gateway.GetAsync($"v1/models/{Uri.EscapeDataString(gateway.Model)}")).Ok("GET of a listed model");
        Expect.That(alone.Text("id") == gateway.Model && alone.Text("owned_by") == listed.Text("owned_by"), "GET of a model differs from the list");
        return CaseOutcome.Pass($"{models.Count} listed");
    }

    /// <summary>A longer prompt has more tokens, and nothing is made.</summary>
    public static async Task<CaseOutcome> InputTokensAsync(CheckedGateway gateway)
    {
        var (shorter, _) = await CountAsync("One two three.");
        var (longer, isEstimate) = await CountAsync("One two three. Four five six. Seven eight nine. Ten eleven twelve.");
        Expect.That(shorter > 0 && longer > 0, $"{shorter} tokens for a text, and {longer} for a longer one");
        var grows = longer > shorter;
        Expect.That(grows || !isEstimate, $"estimates of {shorter} tokens for a text, and {longer} for a longer one");
        Expect.OfModel(grows, $"the model server counts {shorter} tokens for a text, and {longer} for a longer one");
        return CaseOutcome.Pass($"{shorter} and {longer} tokens{(isEstimate ? ", estimated" : "")}");

        async Task<(long Tokens, bool IsEstimate)> CountAsync(string input)
        {
            var answer = (await gateway.PostRawAsync(
                "v1/responses/input_tokens", $$"""{"model":{{JsonReading.Quote(gateway.Model)}},"input":"{{input}}"}""")).Ok("POST input_tokens");
            Expect.That(answer.Text("object") == "response.input_tokens" && answer.Number("input_tokens") is not null, "the answer has no input_tokens");
            return (answer.Number("input_tokens") ?? 0, answer.Truth("estimated") == true);
        }
    }

    /// <summary>What is wrong with a request is said in the API's error object, with the member's name.</summary>
    public static async Task<CaseOutcome> BadInputAsync(CheckedGateway gateway)
    {
        (await gateway.PostRawAsync("v1/responses", "{")).Refuses("a body that is no JSON", 400, null, null);
        (await gateway.PostAsync("v1/responses", """ "input":7 """)).Refuses("a number as input", 400, "invalid_type", "input");
        (await gateway.PostAsync("v1/responses", """ "input":"Hello","temperature":9 """)).Refuses("temperature 9", 400, "decimal_above_max_value", "temperature");
        (await gateway.PostAsync("v1/responses", """ "input":"Hello","background":true,"store":false """)).Refuses("background without store", 400, "unsupported_value", "store");
        (await gateway.PostAsync("v1/responses", """ "input":"Hello","previous_response_id":"resp_unknown" """))
            .Refuses("an unknown previous_response_id", 400, "previous_response_not_found", "previous_response_id");
        (await gateway.GetResponseAsync("resp_unknown")).Refuses("an unknown response", 404, null, null);
        return CaseOutcome.Pass("6 requests refused as they must be");
    }

    /// <summary>400 on a response, 404 on the model.</summary>
    public static async Task<CaseOutcome> UnknownModelAsync(CheckedGateway gateway)
    {
        const string unknown = "gateway-check-no-such-model";
        (await gateway.GetAsync($"v1/models/{unknown}")).Refuses("GET of an unknown model", 404, "model_not_found", "model");
        var answer = await gateway.PostRawAsync("v1/responses", $$"""{"model":"{{unknown}}","input":"Hello","store":false,"max_output_tokens":16}""");
        Expect.OfModel(!answer.IsOk, "a pattern lets every name through, and the model server answers to all");
        answer.Refuses("a response of an unknown model", 400, "model_not_found", "model");
        return CaseOutcome.Pass("400 and 404 model_not_found");
    }

    /// <summary>Each dialect at its base path.</summary>
    public static async Task<CaseOutcome> BasePathsAsync(CheckedGateway gateway)
    {
        foreach (var basePath in (string[])[CheckedGateway.UsualBase, CheckedGateway.OtherBase])
        {
            var response = await gateway.CreateAsync(""" "input":"Say hello.","store":false,"max_output_tokens":64 """, basePath: basePath);
            Expect.That(response.Truth("store") == false, $"/{basePath}: the response is stored against its will");
        }

        return CaseOutcome.Pass($"/{CheckedGateway.UsualBase}, /{CheckedGateway.OtherBase}");
    }
}
