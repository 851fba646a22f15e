using System.Text.Json;

namespace Gateway.Check;

/// <summary>The gateway as a case sees it: short ways to ask it, which hold every answer to what is true of all.</summary>
/// <param name="http">The connection.</param>
/// <param name="case">The case's name, which marks what it makes.</param>
/// <param name="model">The model to ask; empty for cases that ask none.</param>
/// <param name="isNamed">The operator named the model: it need not be in the list.</param>
/// <param name="cancellation">Cancelled when the case takes too long, or the check is interrupted.</param>
internal sealed class CheckedGateway(CheckHttp http, string @case, string model, bool isNamed, CancellationToken cancellation)
{
    /// <summary>The base path of OpenAI's API.</summary>
    public const string UsualBase = "v1";

    /// <summary>The base path of the other dialect, whose usage has the names of Chat Completions.</summary>
    public const string OtherBase = "inference/v1";

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    public string Model => model;

    public bool IsModelNamed => isNamed;

    public CancellationToken Cancellation => cancellation;

    public Task<Answer> GetAsync(string path) => http.SendAsync(HttpMethod.Get, path, null, cancellation);

    public Task<Answer> GetResponseAsync(string? id) => GetAsync($"v1/responses/{id}");

    public Task<Answer> DeleteResponseAsync(string? id) => http.SendAsync(HttpMethod.Delete, $"v1/responses/{id}", null, cancellation);

    /// <summary>Sends a body as it is.</summary>
    public Task<Answer> PostRawAsync(string path, string json) => http.SendAsync(HttpMethod.Post, path, json, cancellation);

    /// <summary>Sends a body, given without braces, model and metadata.</summary>
    public Task<Answer> PostAsync(string path, string members, string? mark = null) => PostRawAsync(path, Body(members, mark));

    /// <summary>Creates a response and checks its end. The model server must do it.</summary>
    /// <param name="members">The request without braces, model and metadata.</param>
    /// <param name="mark">The value of <c>metadata.case</c>; null for the case's name.</param>
    /// <param name="basePath">The dialect's base path.</param>
    public async Task<JsonElement> CreateAsync(string members, string? mark = null, string basePath = UsualBase) =>
        CheckEnd((await PostAsync($"{basePath}/responses", members, mark)).Ok($"POST /{basePath}/responses"), mark, basePath);

    /// <summary>As <see cref="CreateAsync"/>, with something that not every model server can: if it refuses that, the case is limited.</summary>
    public async Task<JsonElement> CreateIfAbleAsync(string members)
    {
        var answer = await PostAsync("v1/responses", members);
        Expect.OfModel(!IsRefusal(answer), $"refused by the model server: {answer.Told}");
        return CheckEnd(answer.Ok("POST /v1/responses"));
    }

    /// <summary>As <see cref="CreateAsync"/>, for a case that comes back to the response. Where policy stores nothing the case is skipped.</summary>
    public async Task<JsonElement> CreateStoredAsync(string members)
    {
        var response = await CreateAsync(members);
        NeedStored(response);
        return response;
    }

    /// <summary>Ends the case unless the response is stored.</summary>
    public static void NeedStored(JsonElement response)
    {
        if (response.Truth("store") == false)
        {
            throw new CaseEndedException(CaseOutcome.Skipped("nothing is stored with this key"));
        }
    }

    /// <summary>Creates a streamed response, checks every event, and gives the response as it ended.</summary>
    /// <returns>The response and the number of its events.</returns>
    public async Task<(JsonElement Response, int Events)> StreamAsync(string members)
    {
        var rules = new StreamRules(model);
        Answer? refused = null;
        await foreach (var data in http.StreamAsync("v1/responses", Body($"\"stream\":true,{members}", null), answer => refused = answer, cancellation))
        {
            rules.Take(data);
        }

        if (refused is not null)
        {
            Expect.That(!refused.IsOk, "the answer to a streamed request is no event stream");
            refused.Ok("POST /v1/responses with stream");
        }

        return (CheckEnd(rules.End()), rules.Count);
    }

    /// <summary>What a stored response was asked, oldest first.</summary>
    public async Task<IReadOnlyList<JsonElement>> InputItemsAsync(string? id) =>
        (await GetAsync($"v1/responses/{id}/input_items?order=asc")).Ok("GET input_items").List("data");

    /// <summary>Asks for a background response until it is over.</summary>
    public async Task<JsonElement> WaitForEndAsync(string? id)
    {
        for (var pause = ShortestPause; ; pause = pause < LongestPause ? pause * 2 : LongestPause)
        {
            var response = (await GetResponseAsync(id)).Ok("GET of a background response");
            ResponseRules.Check(response, model);
            Expect.That(response.Text("id") == id, "GET gives another response");
            if (ResponseRules.IsOver(response))
            {
                return response;
            }

            await Task.Delay(pause, cancellation);
        }
    }

    /// <summary>Holds the end of a response to the rules, and gives it back.</summary>
    public JsonElement CheckEnd(JsonElement response, string? mark = null, string basePath = UsualBase)
    {
        ResponseRules.CheckEnd(response, model, isOther: basePath == OtherBase);
        Expect.That(response.Text("metadata", "case") == (mark ?? @case), "the answer has another request's metadata");
        return response;
    }

    /// <summary>The model server, or the profile that speaks for it, does not take what the case is about.</summary>
    private static bool IsRefusal(Answer answer) =>
        answer.IsError && (answer.Status == 400 || answer is { Status: 502, Code: "upstream_error" })
        // What the gateway itself says when it does not find the call that it made up the id of.
        && answer.Json.Text("error", "message")?.StartsWith("No tool call found", StringComparison.Ordinal) == false;

    private string Body(string members, string? mark) =>
        $$$"""{"model":{{{JsonReading.Quote(model)}}},"metadata":{"{{{CheckHttp.RunMember}}}":"{{{http.Run}}}","case":"{{{mark ?? @case}}}"},{{{members}}}}""";
}
