using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gateway.FunctionalTests.Check;

/// <summary>One request and its answer on their way through <see cref="BrokenGateway"/>.</summary>
internal sealed class Exchange
{
    public required string Method { get; init; }

    /// <summary>Without the query.</summary>
    public required string Path { get; init; }

    public required string Query { get; init; }

    /// <summary>The case that made the request, or made the response that the path names; null when neither tells.</summary>
    public required string? Case { get; init; }

    /// <summary>The value of <c>metadata.case</c> in the request.</summary>
    public required string? Mark { get; init; }

    public required string RequestBody { get; set; }

    public int Status { get; set; } = StatusCodes.Status200OK;

    public string ContentType { get; set; } = "application/json";

    public string Body { get; set; } = "";

    public bool IsCreate => Method == "POST" && Path.EndsWith("/responses", StringComparison.Ordinal);

    /// <summary>The blocks of an event stream, <c>[DONE]</c> last.</summary>
    public List<string> Events
    {
        get => [.. Body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)];
        set => Body = string.Concat(value.Select(block => block + "\n\n"));
    }

    public void Change(Action<JsonObject> change)
    {
        var json = JsonNode.Parse(Body)!.AsObject();
        change(json);
        Body = json.ToJsonString();
    }

    public void ChangeRequest(Action<JsonObject> change)
    {
        var json = JsonNode.Parse(RequestBody)!.AsObject();
        change(json);
        RequestBody = json.ToJsonString();
    }

    public void ChangeEvents(Func<List<string>, IEnumerable<string>> change) => Events = [.. change(Events)];

    public void Answer(int status, string body)
    {
        Status = status;
        Body = body;
        ContentType = "application/json";
    }
}
