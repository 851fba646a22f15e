using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Tools.Hosted;

/// <summary>A hosted tool as the model sees it: one function with one argument, in the words of its type.</summary>
/// <param name="Type">The name in the configuration.</param>
/// <param name="Kind">The form of its calls.</param>
/// <param name="Argument">The argument that the model writes.</param>
/// <param name="Description">What the model is told, unless the operator says it better.</param>
/// <param name="ArgumentDescription">What the model is told of the argument.</param>
internal sealed record HostedForm(string Type, ServerCallKind Kind, string Argument, string Description, string ArgumentDescription)
{
    private static readonly HostedForm[] All =
    [
        new("web_search", ServerCallKind.WebSearch, "query", "Searches the web and returns what was found.", "What to search for."),
        new("file_search", ServerCallKind.FileSearch, "query", "Searches the user's files and returns the passages found.", "What to search for."),
        new("code_interpreter", ServerCallKind.CodeInterpreter, "code",
            "Runs Python code and returns what it prints and its last expression. Variables are kept between calls.", "Python code."),
        new("python", ServerCallKind.Mcp, "code",
            "Runs Python code and returns what it prints and its last expression. Variables are kept between calls.", "Python code."),
        new("image_generation", ServerCallKind.ImageGeneration, "prompt", "Makes an image and shows it to the user.", "What the image shows."),
    ];

    /// <summary>The names that can be bound.</summary>
    public static IEnumerable<string> Types => All.Select(static form => form.Type);

    public static HostedForm? Find(string type) => Array.Find(All, form => form.Type == type);

    /// <summary>The tool's names in requests: web search has dated ones.</summary>
    public IReadOnlyList<string> RequestTypes => Type == "web_search"
        ? ["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"]
        : [Type];

    /// <summary>The JSON schema of the function.</summary>
    public byte[] Schema() => Encoding.UTF8.GetBytes(
        $$$"""{"type":"object","properties":{"{{{Argument}}}":{"type":"string","description":"{{{ArgumentDescription}}}"}},"required":["{{{Argument}}}"],"additionalProperties":false}""");
}
