using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Gateway.FunctionalTests;

/// <summary>One whole answer of the gateway.</summary>
internal sealed record Reply(HttpStatusCode Status, HttpResponseHeaders Headers, string? ContentType, string Body)
{
    public JsonElement Json { get; } = ContentType == "application/json" ? JsonElement.Parse(Body) : default;

    public static async Task<Reply> ReadAsync(HttpResponseMessage response) => new(
        response.StatusCode, response.Headers, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsStringAsync());

    /// <summary>The answer is this error, in the API's error object with all four members.</summary>
    public void AssertError(int status, string? code, string? param, string type = "invalid_request_error")
    {
        Assert.True((int)Status == status, $"Expected {status}, got {(int)Status}: {Body}");
        Assert.Equal((type, code, param), (Json.Text("error.type"), Json.Text("error.code"), Json.Text("error.param")));
        Assert.NotEmpty(Json.Text("error.message")!);
    }

    public JsonElement AssertOk()
    {
        Assert.True(Status == HttpStatusCode.OK, $"Expected 200, got {(int)Status}: {Body}");
        return Json;
    }
}
