using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Gateway.Tools.Mcp;

/// <summary>Results of tools: how they are read, and what a model reads of them.</summary>
internal static class McpResults
{
    /// <summary>
    /// Reads the result of <c>tools/call</c>. A block of content of an unknown kind, or not as it should be, becomes a text that says so:
    /// the client library would give up the whole result for it.
    /// </summary>
    /// <exception cref="JsonException">It is no result of a call.</exception>
    public static CallToolResult Read(JsonNode? result)
    {
        if (result is not JsonObject members)
        {
            throw new JsonException("The result is no object.");
        }

        try
        {
            var read = new CallToolResult { IsError = members["isError"]?.GetValueKind() == JsonValueKind.True };
            if (members["structuredContent"] is { } structured)
            {
                read.StructuredContent = structured.Deserialize<JsonElement>(McpJsonUtilities.DefaultOptions);
            }

            foreach (var block in members["content"] as JsonArray ?? [])
            {
                read.Content.Add(ReadBlock(block));
            }

            return read;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // Escapes that are half a surrogate pair; a member that is there twice.
            throw new JsonException("The result can not be read.", e);
        }
    }

    /// <summary>
    /// Everything in order, a line break between blocks: text as it is, text resources below their address, a placeholder for what is no text. Structured
    /// content is for programs and repeats the text by convention, so it stands in only where there is no text. Nothing is an empty text.
    /// </summary>
    public static string ToText(CallToolResult result)
    {
        var parts = result.Content.Select(Describe).ToList();
        var hasText = result.Content.Any(block => block is TextContentBlock or EmbeddedResourceBlock { Resource: TextResourceContents });
        if (!hasText && result.StructuredContent is { } structured)
        {
            parts.Add(structured.GetRawText());
        }

        return string.Join('\n', parts);
    }

    private static ContentBlock ReadBlock(JsonNode? block)
    {
        try
        {
            if (block.Deserialize<ContentBlock>(McpJsonUtilities.DefaultOptions) is { } read)
            {
                return read;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException or FormatException)
        {
            // Told below.
        }

        return new TextContentBlock { Text = "[content that the gateway does not understand]" };
    }

    private static string Describe(ContentBlock block) => block switch
    {
        TextContentBlock text => text.Text,
        EmbeddedResourceBlock { Resource: TextResourceContents text } => $"[resource {text.Uri}]\n{text.Text}",
        EmbeddedResourceBlock { Resource: BlobResourceContents blob } => Placeholder($"resource {blob.Uri}", blob.MimeType, blob.Blob.Span),
        ResourceLinkBlock link => DescribeLink(link),
        ImageContentBlock image => Placeholder("image", image.MimeType, image.Data.Span),
        AudioContentBlock audio => Placeholder("audio", audio.MimeType, audio.Data.Span),
        _ => $"[{block.Type}]",
    };

    private static string DescribeLink(ResourceLinkBlock link)
    {
        var type = link.MimeType is null ? string.Empty : $", {link.MimeType}";
        var description = link.Description is null ? string.Empty : $": {link.Description}";
        return $"[resource link {link.Uri}{type}] {link.Title ?? link.Name}{description}";
    }

    private static string Placeholder(string what, string? mimeType, ReadOnlySpan<byte> base64)
    {
        var type = mimeType is null ? string.Empty : what is "image" or "audio" ? $" {mimeType}" : $", {mimeType}";
        return Base64.IsValid(base64, out var bytes)
            ? string.Create(CultureInfo.InvariantCulture, $"[{what}{type}, {bytes:N0} bytes]")
            : $"[{what}{type}]";
    }
}
