using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>
/// Recordings/requests: a Responses request whose input is the whole context, the profile's settings that differ from the generic one, and
/// the Chat Completions request that must come out, member for member in this order.
/// </summary>
public sealed class RecordedRequestTests
{
    private const string Kind = "requests";

    public static TheoryData<string> Cases => [.. Recordings.Cases(Kind)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Write_RecordedCase_GivesTheExpectedRequest(string name)
    {
        var request = Requests.Parse(File.ReadAllText(Recordings.File(Kind, name, "request.json")));
        var profile = Recordings.ReadProfile(Recordings.File(Kind, name, "profile.json"));
        Assert.Null(ContextRules.Check(request.Input, null));

        var body = Chats.Write(Chats.Of(request, profile));

        Assert.Equal(Recordings.Indent(File.ReadAllText(Recordings.File(Kind, name, "expected.json"))), Recordings.Indent(body));
    }
}
