using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Tools.Mcp;
using ImageContentBlock = ModelContextProtocol.Protocol.ImageContentBlock;

namespace Gateway.Tools.Hosted;

/// <summary>One bound hosted tool: how its calls become calls of a server's tool, and the server's results the type's own items.</summary>
internal sealed class HostedBinding
{
    /// <summary>Deeper than <c>Gateway:Limits:JsonDepth</c> may be.</summary>
    private static readonly JsonDocumentOptions AsDeepAsRequests = new() { MaxDepth = 1024 };

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

    /// <summary>The outcome in the type's own form. What the server's answer lacks of it makes the call a failed one.</summary>
    /// <param name="answer">The server's.</param>
    /// <param name="text">What the model reads of it.</param>
    /// <param name="include">What the client wants to see.</param>
    /// <param name="resultBytes">The most bytes of <c>results</c>.</param>
    /// <param name="imageBytes">The longest image.</param>
    public ServerCallResult ResultOf(McpCallOutcome answer, string text, Includes include, int resultBytes, int imageBytes)
    {
        if (Kind == ServerCallKind.ImageGeneration)
        {
            return ImageOf(answer, text, imageBytes);
        }

        using var json = new PooledBuffer(256);
        if (Kind == ServerCallKind.FileSearch && include.HasFlag(Includes.FileSearchResults))
        {
            AppendFileResults(json, answer, text, resultBytes);
        }
        else if (Kind == ServerCallKind.CodeInterpreter && include.HasFlag(Includes.CodeInterpreterOutputs))
        {
            json.Append("[{\"type\":\"logs\",\"logs\":"u8);
            json.AppendString(text);
            json.Append("}]"u8);
        }

        return Result(answer.Failure is null && !answer.IsError ? ServerCallEnd.Completed : ServerCallEnd.Failed, text, json.WrittenSpan);
    }

    /// <summary>The outcome of a call that came to nothing.</summary>
    public ServerCallResult Failed(string error) => Result(ServerCallEnd.Failed, error, default);

    /// <param name="end">How the call ended.</param>
    /// <param name="text">What the model reads.</param>
    /// <param name="shown">What the client sees, as JSON; empty for nothing.</param>
    private ServerCallResult Result(ServerCallEnd end, string text, ReadOnlySpan<byte> shown)
    {
        var member = Kind switch
        {
            ServerCallKind.FileSearch => ",\"results\":"u8,
            ServerCallKind.CodeInterpreter => ",\"outputs\":"u8,
            ServerCallKind.ImageGeneration => ",\"result\":"u8,
            _ => default,
        };
        return new ServerCallResult(end, text, member.IsEmpty ? default : (byte[])[.. member, .. shown.IsEmpty ? "null"u8 : shown]);
    }

    /// <summary>The server's first image. Without one the model must not believe that there is.</summary>
    private ServerCallResult ImageOf(McpCallOutcome answer, string text, int maxBytes)
    {
        if (answer.Failure is not null || answer.IsError)
        {
            return Failed(text);
        }

        if (answer.Result?.Content.OfType<ImageContentBlock>().FirstOrDefault() is not { } image)
        {
            return Failed(text.Length == 0 ? "The tool made no image." : $"The tool made no image. It says: {text}");
        }

        if (!Base64.IsValid(image.Data.Span, out var bytes) || bytes == 0)
        {
            return Failed("The tool's image can not be read.");
        }

        return bytes > maxBytes
            ? Failed(string.Create(CultureInfo.InvariantCulture, $"The tool's image has more than {maxBytes:N0} bytes."))
            : Result(ServerCallEnd.Completed, "The image was made and is shown to the user.", Encoding.UTF8.GetBytes($"\"{Convert.ToBase64String(image.DecodedData.Span)}\""));
    }

    /// <summary>The server's <c>results</c> when it gives them in the type's form, as many whole ones as may be; else all of its text as one passage.</summary>
    private static void AppendFileResults(PooledBuffer json, McpCallOutcome answer, string text, int maxBytes)
    {
        json.Append((byte)'[');
        if (answer.Result?.StructuredContent is { ValueKind: JsonValueKind.Object } structured
            && structured.TryGetProperty("results"u8, out var results) && results.ValueKind == JsonValueKind.Array
            && results.EnumerateArray().All(static result => result.ValueKind == JsonValueKind.Object))
        {
            AppendWholeOnes(json, results, maxBytes);
        }
        else
        {
            AppendPassage(json, text);
        }

        json.Append((byte)']');
    }

    private static void AppendWholeOnes(PooledBuffer json, JsonElement results, int maxBytes)
    {
        var shown = 0;
        foreach (var result in results.EnumerateArray())
        {
            var raw = JsonMarshal.GetRawUtf8Value(result);
            if (json.Length + raw.Length > maxBytes)
            {
                break;
            }

            json.Append(shown++ > 0 ? ","u8 : default);
            json.Append(raw);
        }

        if (shown < results.GetArrayLength())
        {
            json.Append(shown > 0 ? ","u8 : default);
            AppendPassage(json, string.Create(CultureInfo.InvariantCulture, $"[The results are cut here: {shown:N0} of {results.GetArrayLength():N0} are shown.]"));
        }
    }

    private static void AppendPassage(PooledBuffer json, string text)
    {
        json.Append("{\"text\":"u8);
        json.AppendString(text);
        json.Append((byte)'}');
    }

    private static void WriteDeclared(Utf8JsonWriter writer, string name, ReadOnlyMemory<byte> declaration, string path)
    {
        if (declaration.IsEmpty)
        {
            return;
        }

        using var document = JsonDocument.Parse(declaration, AsDeepAsRequests);
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
    private string WrittenIn(string arguments) => ToolArguments.TextOf(arguments, _form.Argument);
}
