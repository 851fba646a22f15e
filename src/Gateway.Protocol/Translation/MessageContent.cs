using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>Turns the content of items into pieces of messages: text, images, files, audio, as far as the profile can send them.</summary>
internal sealed class MessageContent(RouteProfile profile, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? inlinedImages)
{
    public static readonly ReadOnlyMemory<byte> LineBreak = "\\n"u8.ToArray();
    public static readonly ReadOnlyMemory<byte> BlankLine = "\\n\\n"u8.ToArray();

    private static readonly ReadOnlyMemory<byte> ImageOmitted = "[image omitted]"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> FileOmitted = "[file omitted]"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> ImageFollows = "[The image is in the next message.]"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> FileFollows = "[The file is in the next message.]"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> High = "high"u8.ToArray();

    /// <summary>Escapes text so that it can stand between the quotes of a JSON string.</summary>
    public static ReadOnlyMemory<byte> Escape(ReadOnlySpan<byte> utf8) =>
        JsonEncodedText.Encode(utf8, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes.ToArray();

    /// <inheritdoc cref="Escape(ReadOnlySpan{byte})"/>
    public static ReadOnlyMemory<byte> Escape(string text) => Escape(Encoding.UTF8.GetBytes(text));

    /// <summary>Adds text, set off from text before it. Empty text adds nothing.</summary>
    public static void AddText(List<MessagePart> content, ReadOnlyMemory<byte> escaped, ReadOnlyMemory<byte> separator)
    {
        if (escaped.IsEmpty)
        {
            return;
        }

        if (content.Count > 0 && content[^1].Kind == MessagePartKind.Text)
        {
            content.Add(new MessagePart(MessagePartKind.Separator, separator));
        }

        content.Add(new MessagePart(MessagePartKind.Text, escaped));
    }

    /// <summary>The text of an assistant message: its texts and refusals, whatever else it has left out.</summary>
    public static void AddAssistantText(List<MessagePart> content, ReadOnlyMemory<byte> value, ReadOnlyMemory<byte> separator)
    {
        if (JsonView.IsString(value))
        {
            AddText(content, JsonView.Inner(value), separator);
            return;
        }

        foreach (var part in JsonView.Elements(value))
        {
            AddText(content, TextOf(part), separator);
            separator = LineBreak;
        }
    }

    /// <summary>All texts of any array of parts, for items whose parts have no fixed form.</summary>
    public static void AddTexts(List<MessagePart> content, ReadOnlyMemory<byte> value) => AddAssistantText(content, value, LineBreak);

    /// <summary>
    /// The content of a user, system or developer message. <paramref name="badPart"/> is the index of the part that an error is about.
    /// </summary>
    public string? AddInput(List<MessagePart> content, ReadOnlyMemory<byte> value, bool textOnly, ReadOnlyMemory<byte> separator, out int badPart)
    {
        badPart = -1;
        if (JsonView.IsString(value))
        {
            AddText(content, JsonView.Inner(value), separator);
            return null;
        }

        var index = 0;
        foreach (var part in JsonView.Elements(value))
        {
            var text = TextOf(part);
            var error = text.Length > 0 || IsText(part) ? null
                : textOnly ? "Only text is supported in system and developer messages."
                : AddPart(content, part);
            if (error is not null)
            {
                badPart = index;
                return error;
            }

            AddText(content, text, separator);
            separator = LineBreak;
            index++;
        }

        return null;
    }

    /// <summary>
    /// The output of a tool. Servers take only text there, so images and files go into <paramref name="following"/>, the content of a user
    /// message behind it, or are left out with a notice.
    /// </summary>
    public void AddToolOutput(List<MessagePart> content, ReadOnlyMemory<byte> value, List<MessagePart> following)
    {
        if (JsonView.IsString(value))
        {
            AddText(content, JsonView.Inner(value), LineBreak);
            return;
        }

        if (JsonView.IsObject(value))
        {
            AddToolOutputPart(content, value, following);
            return;
        }

        foreach (var part in JsonView.Elements(value))
        {
            AddToolOutputPart(content, part, following);
        }
    }

    private void AddToolOutputPart(List<MessagePart> content, ReadOnlyMemory<byte> part, List<MessagePart> following)
    {
        var type = JsonView.Member(part, "type"u8);
        if (IsImage(part))
        {
            var sent = !IsLeftOut(part) && AddImage(following, part) is null;
            AddText(content, sent ? ImageFollows : ImageOmitted, LineBreak);
        }
        else if (JsonView.TextEquals(type, "input_file"u8))
        {
            var before = following.Count;
            var sent = AddFile(following, part) is null;
            if (sent && following[before..] is [{ Kind: MessagePartKind.Text } text])
            {
                // A text file needs no message of its own.
                following.RemoveAt(before);
                AddText(content, text.Value, LineBreak);
            }
            else
            {
                AddText(content, sent ? FileFollows : FileOmitted, LineBreak);
            }
        }
        else if (IsText(part))
        {
            AddText(content, TextOf(part), LineBreak);
        }
        else
        {
            // An object of another form, such as a tool's error: the model reads it as JSON.
            AddText(content, Escape(part.Span), LineBreak);
        }
    }

    /// <summary>The part is an image of a message or of a tool's output.</summary>
    public static bool IsImage(ReadOnlyMemory<byte> part)
    {
        var type = JsonView.Member(part, "type"u8);
        return JsonView.TextEquals(type, "input_image"u8) || JsonView.TextEquals(type, "computer_screenshot"u8);
    }

    private static bool IsText(ReadOnlyMemory<byte> part) =>
        JsonView.IsString(JsonView.Member(part, "text"u8)) || JsonView.IsString(JsonView.Member(part, "refusal"u8));

    private static ReadOnlyMemory<byte> TextOf(ReadOnlyMemory<byte> part)
    {
        var text = JsonView.Member(part, "text"u8);
        return JsonView.Inner(JsonView.IsString(text) ? text : JsonView.Member(part, "refusal"u8));
    }

    /// <summary>Adds a part that is no text. Returns why it can not be sent, or null.</summary>
    private string? AddPart(List<MessagePart> content, ReadOnlyMemory<byte> part)
    {
        var type = JsonView.Member(part, "type"u8);
        if (JsonView.TextEquals(type, "input_image"u8))
        {
            if (IsLeftOut(part))
            {
                AddText(content, ImageOmitted, LineBreak);
                return null;
            }

            return AddImage(content, part);
        }

        if (JsonView.TextEquals(type, "input_file"u8))
        {
            return AddFile(content, part);
        }

        if (JsonView.TextEquals(type, "input_audio"u8))
        {
            content.Add(new MessagePart(MessagePartKind.Audio, JsonView.Member(part, "input_audio"u8)));
            return null;
        }

        if (JsonView.TextEquals(type, "input_video"u8))
        {
            content.Add(new MessagePart(MessagePartKind.Video, JsonView.Inner(JsonView.Member(part, "video_url"u8))));
            return null;
        }

        return "Content of this type is not supported.";
    }

    private string? AddImage(List<MessagePart> content, ReadOnlyMemory<byte> part)
    {
        var url = JsonView.Inner(JsonView.Member(part, "image_url"u8));
        if (url.IsEmpty)
        {
            return "Images given by 'file_id' are not supported. Send the image as a data URL in 'image_url'.";
        }

        if (profile.ImageUrls == ImageUrls.Reject)
        {
            return "Images are not supported with this model.";
        }

        if (profile.ImageUrls == ImageUrls.Inline && !IsDataUrl(url.Span) && !TryInline(ref url))
        {
            return "Images given by a web address are not supported with this model. Send the image as a data URL.";
        }

        var detail = profile.ImageDetail ? JsonView.Inner(JsonView.Member(part, "detail"u8)) : default;
        content.Add(new MessagePart(MessagePartKind.Image, url, detail.Span.SequenceEqual("original"u8) ? High : detail));
        return null;
    }

    /// <summary>Puts the data URL of an image that was fetched in the place of its URL. False when it was not fetched.</summary>
    private bool TryInline(ref ReadOnlyMemory<byte> url)
    {
        if (inlinedImages?.TryGetValue(Encoding.UTF8.GetString(JsonView.Unescape(url).Span), out var dataUrl) != true)
        {
            return false;
        }

        // Nothing in a data URL has to be escaped.
        url = dataUrl;
        return true;
    }

    /// <summary>The image was looked for and is not there any more.</summary>
    private bool IsLeftOut(ReadOnlyMemory<byte> part)
    {
        var url = JsonView.Inner(JsonView.Member(part, "image_url"u8));
        return profile.ImageUrls == ImageUrls.Inline && !IsDataUrl(url.Span) && TryInline(ref url) && url.IsEmpty;
    }

    private string? AddFile(List<MessagePart> content, ReadOnlyMemory<byte> part)
    {
        var data = JsonView.Inner(JsonView.Member(part, "file_data"u8));
        if (data.IsEmpty)
        {
            return "Files given by 'file_id' or 'file_url' are not supported. Send the file's content in 'file_data'.";
        }

        var name = JsonView.Inner(JsonView.Member(part, "filename"u8));
        if (profile.FileParts)
        {
            content.Add(new MessagePart(MessagePartKind.File, data, name));
            return null;
        }

        if (DecodeTextFile(JsonView.Unescape(data).Span) is not { } text)
        {
            return "Files of this type are not supported with this model. Text files can be sent as a data URL with a text media type.";
        }

        var title = name.IsEmpty ? "[file]\n" : $"[file: {Encoding.UTF8.GetString(JsonView.Unescape(name).Span)}]\n";
        AddText(content, Escape(title + text), LineBreak);
        return null;
    }

    private static bool IsDataUrl(ReadOnlySpan<byte> url) => url.Length >= 5 && Ascii.EqualsIgnoreCase(url[..5], "data:"u8);

    /// <summary>The text of a data URL with a text media type in base64; null for anything else.</summary>
    private static string? DecodeTextFile(ReadOnlySpan<byte> url)
    {
        var comma = url.IndexOf((byte)',');
        if (!IsDataUrl(url) || comma < 0)
        {
            return null;
        }

        var header = Encoding.UTF8.GetString(url[5..comma]).ToLowerInvariant();
        var mediaType = header.Split(';')[0].Trim();
        var isText = mediaType.StartsWith("text/", StringComparison.Ordinal)
            || mediaType is "application/json" or "application/xml" or "application/yaml" or "application/x-yaml"
            || mediaType.EndsWith("+json", StringComparison.Ordinal) || mediaType.EndsWith("+xml", StringComparison.Ordinal);
        if (!isText || !header.EndsWith(";base64", StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(url.Length - comma - 1)];
        var status = Base64.DecodeFromUtf8(url[(comma + 1)..], bytes, out _, out var written);
        return status == System.Buffers.OperationStatus.Done ? Encoding.UTF8.GetString(bytes.AsSpan(0, written)) : null;
    }
}
