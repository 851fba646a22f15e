using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>The <c>conversation</c> of a request for a response, and the bodies of requests for conversations.</summary>
public sealed class ConversationParserTests
{
    private const string Message = """{"role":"user","content":"hi"}""";

    [Theory]
    [InlineData("\"conv_1\"")]
    [InlineData("{\"id\":\"conv_1\"}")]
    [InlineData("{\"object\":\"conversation\",\"id\":\"conv_1\"}")]
    public void Conversation_InEitherForm_IsItsId(string conversation)
    {
        Assert.Equal("conv_1", Requests.Parse(Requests.With($"\"conversation\":{conversation}")).ConversationId);
        Assert.Null(Requests.Parse(Requests.With("\"conversation\":null")).ConversationId);
    }

    [Fact]
    public void Conversation_IsContextEnoughForARequestWithoutInput()
    {
        Assert.Empty(Requests.Parse("""{"model":"m","conversation":"conv_1"}""").Input);
        Assert.Empty(Requests.Parse("""{"model":"m","conversation":"conv_1","input":[]}""").Input);
        Assert.Equal("model", Requests.Reject("""{"input":"hi","conversation":"conv_1"}""").Param);
    }

    [Fact]
    public void Conversation_WhereThereAreNone_IsAnUnsupportedParameter()
    {
        var error = Requests.Reject(Requests.With("\"conversation\":\"conv_1\""), RequestRules.Default with { ServesConversations = false });

        Assert.Equal(("unsupported_parameter", "conversation"), (error.Code, error.Param));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"items":null,"metadata":null}""")]
    [InlineData("""{"items":[],"metadata":{},"other":1}""")]
    public void Start_OfNothing_IsEmpty(string body)
    {
        Assert.Null(RequestParser.ParseConversation(Utf8(body), RequestRules.Default, out var request));

        Assert.Empty(request!.Items);
    }

    [Fact]
    public void Start_HasItsItemsAndMetadata()
    {
        Assert.Null(RequestParser.ParseConversation(Utf8($$"""{"metadata":{"a":"b"},"items":[{{Message}},{{Message}}]}"""), RequestRules.Default, out var request));

        Assert.Equal((2, ItemKind.Message), (request!.Items.Count, request.Items[1].Kind));
        Assert.Equal("""{"a":"b"}""", Requests.Text(request.Metadata));
    }

    [Theory]
    [InlineData("[]", null, null)]
    [InlineData("nothing", null, null)]
    [InlineData("""{"items":{}}""", "invalid_type", "items")]
    [InlineData("""{"items":[7]}""", "invalid_type", "items[0]")]
    [InlineData("""{"items":[{"role":"user","content":"hi"},{"type":"what"}]}""", "invalid_value", "items[1].type")]
    [InlineData("""{"items":[{"role":"king","content":"hi"}]}""", "invalid_value", "items[0].role")]
    [InlineData("""{"metadata":7}""", "invalid_type", "metadata")]
    [InlineData("""{"metadata":{"a":7}}""", "invalid_type", "metadata.a")]
    public void Start_BadBody_GivesTheCataloguesError(string body, string? code, string? param)
    {
        var error = RequestParser.ParseConversation(Utf8(body), RequestRules.Default, out var request);

        Assert.Null(request);
        Assert.Equal((400, code, param), (error!.Status, error.Code, error.Param));
    }

    [Fact]
    public void Items_MoreThanTwenty_AreRefused()
    {
        var twenty = string.Join(',', Enumerable.Repeat(Message, 20));

        Assert.Null(RequestParser.ParseConversationItems(Utf8($$"""{"items":[{{twenty}}]}"""), RequestRules.Default, out var request));
        var add = RequestParser.ParseConversationItems(Utf8($$"""{"items":[{{twenty}},{{Message}}]}"""), RequestRules.Default, out _);
        var start = RequestParser.ParseConversation(Utf8($$"""{"items":[{{twenty}},{{Message}}]}"""), RequestRules.Default, out _);

        Assert.Equal(20, request!.Items.Count);
        Assert.Equal(("array_above_max_length", "items"), (add!.Code, add.Param));
        Assert.Equal(add, start);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"items":null}""")]
    [InlineData("""{"items":[]}""")]
    public void Items_None_AreMissing(string body)
    {
        var error = RequestParser.ParseConversationItems(Utf8(body), RequestRules.Default, out _);

        Assert.Equal(("missing_required_parameter", "items"), (error!.Code, error.Param));
    }

    [Fact]
    public void Update_WantsMetadata()
    {
        Assert.Equal("metadata", RequestParser.ParseConversationUpdate(Utf8("{}"), RequestRules.Default, out _)!.Param);
        Assert.Null(RequestParser.ParseConversationUpdate(Utf8("""{"metadata":null}"""), RequestRules.Default, out var none));
        Assert.Null(RequestParser.ParseConversationUpdate(Utf8("""{"metadata":{"a":"b"}}"""), RequestRules.Default, out var some));

        Assert.True(none!.Metadata.IsEmpty);
        Assert.Equal("""{"a":"b"}""", Requests.Text(some!.Metadata));
    }

    [Fact]
    public void UnknownMembers_AreRefusedWhereThatIsThePolicy()
    {
        var strict = RequestRules.Default with { StrictParameters = true };

        Assert.Equal("unknown_parameter", RequestParser.ParseConversation(Utf8("""{"name":"x"}"""), strict, out _)!.Code);
        Assert.Equal("unknown_parameter", RequestParser.ParseConversationItems(Utf8("""{"items":[],"metadata":{}}"""), strict, out _)!.Code);
        Assert.Equal("unknown_parameter", RequestParser.ParseConversationUpdate(Utf8("""{"metadata":{},"items":[]}"""), strict, out _)!.Code);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
