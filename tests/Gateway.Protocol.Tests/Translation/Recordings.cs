using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>The folders of tests/Recordings: one kind of recording each, with a folder for each case.</summary>
internal static class Recordings
{
    private static readonly JsonSerializerOptions ProfileOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The names of the cases of one kind, in order.</summary>
    public static IEnumerable<string> Cases(string kind) =>
        Directory.GetDirectories(Folder(kind)).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    /// <summary>The path of a case's file, whether it is there or not.</summary>
    public static string File(string kind, string name, string file) => Path.Combine(Folder(kind), name, file);

    /// <summary>The settings that differ from the generic profile; the generic profile when there is no such file.</summary>
    public static RouteProfile ReadProfile(string path) => System.IO.File.Exists(path)
        ? JsonSerializer.Deserialize<RouteProfile>(System.IO.File.ReadAllText(path), ProfileOptions) ?? throw new InvalidDataException($"{path} holds null.")
        : RouteProfile.Generic;

    /// <summary>The same JSON with the members in the same order, indented.</summary>
    public static string Indent(string json) => (JsonNode.Parse(json) ?? throw new InvalidDataException()).ToJsonString(Readable).ReplaceLineEndings("\n");

    private static string Folder(string kind, [CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here) ?? "", "../../Recordings", kind));
}
