using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>
/// Recordings/requests: a Responses request whose input is the whole context, the profile's settings that differ from the generic one, and
/// the Chat Completions request that must come out, member for member in this order.
/// </summary>
public sealed class RecordedRequestTests
{
    private static readonly JsonSerializerOptions ProfileOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<string> Cases =>
        [.. Directory.GetDirectories(Folder()).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Write_RecordedCase_GivesTheExpectedRequest(string name)
    {
        var folder = Path.Combine(Folder(), name);
        var request = Requests.Parse(File.ReadAllText(Path.Combine(folder, "request.json")));
        var profile = JsonSerializer.Deserialize<RouteProfile>(File.ReadAllText(Path.Combine(folder, "profile.json")), ProfileOptions);
        Assert.NotNull(profile);
        Assert.Null(ContextRules.Check(request.Input, null));

        var body = Chats.Write(Chats.Of(request, profile));

        Assert.Equal(Normalize(File.ReadAllText(Path.Combine(folder, "expected.json"))), Normalize(body));
    }

    private static string Normalize(string json) => (JsonNode.Parse(json) ?? throw new InvalidDataException()).ToJsonString(Readable).ReplaceLineEndings("\n");

    private static string Folder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here) ?? "", "../../Recordings/requests"));
}
