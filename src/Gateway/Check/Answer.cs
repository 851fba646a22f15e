using System.Text.Json;

namespace Gateway.Check;

/// <summary>One whole answer of the gateway.</summary>
/// <param name="Status">Its HTTP status.</param>
/// <param name="Json">Its body; undefined when that is no JSON.</param>
internal sealed record Answer(int Status, JsonElement Json)
{
    public bool IsOk => Status == 200;

    /// <summary>The error's code, with words where there is none.</summary>
    public string Code => Json.Text("error", "code") ?? "no code";

    /// <summary>Status and code, for the table.</summary>
    public string Told => $"{Status} {Code}";

    /// <summary>The body is the API's error object with its four members.</summary>
    public bool IsError => Json.Text("error", "message") is { Length: > 0 } && Json.Text("error", "type") is { Length: > 0 }
        && Json.At("error", "param").ValueKind is JsonValueKind.String or JsonValueKind.Null
        && Json.At("error", "code").ValueKind is JsonValueKind.String or JsonValueKind.Null;

    /// <summary>The answer is 200, or the case fails.</summary>
    public JsonElement Ok(string what)
    {
        Expect.That(IsOk, $"{what}: {Told} instead of 200");
        return Json;
    }

    /// <summary>The answer is this error, or the case fails.</summary>
    /// <param name="what">What was asked.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="code">The code; null for none.</param>
    /// <param name="param">The member that it is about; null for none.</param>
    public void Refuses(string what, int status, string? code, string? param)
    {
        Expect.That(Status == status, $"{what}: {Told} instead of {status} {code ?? "no code"}");
        Expect.That(IsError, $"{what}: the error has not the members message, type, param and code");
        Expect.That(Json.Text("error", "code") == code, $"{what}: code {Code} instead of {code ?? "no code"}");
        Expect.That(Json.Text("error", "param") == param, $"{what}: param {Json.Text("error", "param") ?? "null"} instead of {param ?? "null"}");
    }
}
