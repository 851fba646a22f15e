using System.Text.Json;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Tools.Mcp;
using ImageContentBlock = ModelContextProtocol.Protocol.ImageContentBlock;

namespace Gateway.Tools.Hosted;

/// <summary>One bound hosted tool: how its calls become calls of a server's tool, and the server's results the type's own items.</summary>
internal sealed class HostedBinding
{
    private readonly HostedForm _form;
    private readonly IReadOnlyDictionary<string, string> _arguments;

    public HostedBinding(HostedForm form, BindingOptions options, McpServer server)
    {
        _form = form;
        Tool = options.Tool!;
        _arguments = options.Arguments.Count > 0 ? options.Arguments : new Dictionary<string, string> { [form.Argument] = form.Argument };
        Server = new DeclaredServer(
            new McpServerTool { Path = "tools", Label = form.Type, Approval = new McpApproval(ByDefault: false) }, server);
    }

    /// <summary>The name in the configuration.</summary>
    public string Type => _form.Type;

    /// <summary>The form of its calls.</summary>
    public ServerCallKind Kind => _form.Kind;

    /// <summary>The tool's name on the server.</summary>
    public string Tool { get; }

    /// <summary>The server, labelled with the hosted tool's type.</summary>
    public DeclaredServer Server { get; }

    /// <summary>What the item shows of what the model wrote: of a code interpreter the code itself.</summary>
    public string TextOf(string arguments) => Kind == ServerCallKind.Mcp ? arguments : WrittenIn(arguments);

    /// <summary>The arguments of the server's tool.</summary>
    /// <param name="tool">The tool as the request declared it.</param>
    /// <param name="arguments">What the model wrote, a JSON object.</param>
    public byte[] ToServerArguments(Tool tool, string arguments)
    {
        using var buffer = new PooledBuffer(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, source) in _arguments)
            {
                if (source.StartsWith('='))
                {
                    writer.WriteString(name, source[1..]);
                }
                else if (source.StartsWith("tool.", StringComparison.Ordinal))
                {
                    WriteDeclared(writer, name, tool.Declaration, source["tool.".Length..]);
                }
                else
                {
                    writer.WriteString(name, WrittenIn(arguments));
                }
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The members of the item that are known before the call runs.</summary>
    public byte[] StartMembers(string arguments, string session)
    {
        using var json = new PooledBuffer(128);
        switch (Kind)
        {
            case ServerCallKind.WebSearch:
                json.Append(",\"action\":{\"type\":\"search\",\"query\":"u8);
                json.AppendString(WrittenIn(arguments));
                json.Append((byte)'}');
                break;
            case ServerCallKind.FileSearch:
                json.Append(",\"queries\":["u8);
                json.AppendString(WrittenIn(arguments));
                json.Append((byte)']');
                break;
            case ServerCallKind.CodeInterpreter:
                json.Append(",\"container_id\":"u8);
                json.AppendString($"cntr_{session}");
                break;
        }

        return json.WrittenSpan.ToArray();
    }

    /// <summary>The outcome in the type's own form.</summary>
    /// <param name="answer">The server's.</param>
    /// <param name="text">What the model reads of it.</param>
    /// <param name="include">What the client wants to see.</param>
    public ServerCallResult ResultOf(McpCallOutcome answer, string text, Includes include)
    {
        var end = answer.Failure is null && !answer.IsError ? ServerCallEnd.Completed : ServerCallEnd.Failed;
        using var json = new PooledBuffer(256);
        switch (Kind)
        {
            case ServerCallKind.FileSearch:
                json.Append(",\"results\":"u8);
                json.Append(include.HasFlag(Includes.FileSearchResults) ? FileResults(answer, text) : "null"u8);
                break;
            case ServerCallKind.CodeInterpreter:
                json.Append(",\"outputs\":"u8);
                if (include.HasFlag(Includes.CodeInterpreterOutputs))
                {
                    json.Append("[{\"type\":\"logs\",\"logs\":"u8);
                    json.AppendString(text);
                    json.Append("}]"u8);
                }
                else
                {
                    json.Append("null"u8);
                }

                break;
            case ServerCallKind.ImageGeneration:
                json.Append(",\"result\":"u8);
                json.AppendString(ImageOf(answer));
                text = end == ServerCallEnd.Completed ? "The image was made and is shown to the user." : text;
                break;
        }

        return new ServerCallResult(end, text, json.WrittenSpan.ToArray());
    }

    private static string? ImageOf(McpCallOutcome answer) =>
        answer.Result?.Content.OfType<ImageContentBlock>().FirstOrDefault() is { } image ? Convert.ToBase64String(image.DecodedData.Span) : null;

    /// <summary>The server's <c>results</c> when it gives them in the type's form, else all of its text as one passage.</summary>
    private static ReadOnlySpan<byte> FileResults(McpCallOutcome answer, string text)
    {
        if (answer.Result?.StructuredContent is { ValueKind: JsonValueKind.Object } structured
            && structured.TryGetProperty("results"u8, out var results) && results.ValueKind == JsonValueKind.Array)
        {
            return System.Text.Encoding.UTF8.GetBytes(results.GetRawText());
        }

        using var json = new PooledBuffer(text.Length + 32);
        json.Append("[{\"text\":"u8);
        json.AppendString(text);
        json.Append("}]"u8);
        return json.WrittenSpan.ToArray();
    }

    private static void WriteDeclared(Utf8JsonWriter writer, string name, ReadOnlyMemory<byte> declaration, string path)
    {
        if (declaration.IsEmpty)
        {
            return;
        }

        using var document = JsonDocument.Parse(declaration);
        var value = document.RootElement;
        foreach (var member in path.Split('.'))
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(member, out value))
            {
                return;
            }
        }

        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }

    /// <summary>The one argument that the model writes; empty when it left it out.</summary>
    private string WrittenIn(string arguments)
    {
        if (!ServerTools.IsObject(arguments))
        {
            return string.Empty;
        }

        using var document = JsonDocument.Parse(arguments);
        return document.RootElement.TryGetProperty(_form.Argument, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;
    }
}
