using System.Buffers;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>Makes chat requests in tests.</summary>
internal static class Chats
{
    public const string Model = "upstream-model";

    public static ChatRequest Of(ResponsesRequest request, RouteProfile? profile = null) => new()
    {
        Request = request,
        Model = Model,
        Profile = profile ?? RouteProfile.Generic,
        Items = request.Input,
        Stream = request.Stream,
        MaxOutputTokens = request.MaxOutputTokens,
        ToolChoice = request.ToolChoice,
        Tools = request.Tools,
        OpenSealedReasoning = blob => blob.StartsWith("own:", StringComparison.Ordinal) ? blob[4..] : null,
    };

    public static string Write(ChatRequest chat)
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Null(ChatRequestWriter.Write(chat, output));
        return Requests.Text(output.WrittenMemory);
    }

    public static ApiError Refuse(ChatRequest chat)
    {
        var output = new ArrayBufferWriter<byte>();
        var error = ChatRequestWriter.Write(chat, output);
        Assert.NotNull(error);
        Assert.Equal(0, output.WrittenCount);
        return error;
    }

    /// <summary>The messages of a body, as text without the closing bracket.</summary>
    public static string Messages(string body)
    {
        const string Start = "\"messages\":[";
        var from = body.IndexOf(Start, StringComparison.Ordinal) + Start.Length;
        var reader = new System.Text.Json.Utf8JsonReader(System.Text.Encoding.UTF8.GetBytes(body[(from - 1)..]));
        reader.Read();
        reader.Skip();
        return System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(body[(from - 1)..]).AsSpan(1, (int)reader.BytesConsumed - 2));
    }

    /// <summary>The messages for a request whose input is <paramref name="items"/>.</summary>
    public static string MessagesOf(string items, RouteProfile? profile = null) => Messages(Write(Of(Requests.ParseInput(items), profile)));
}
