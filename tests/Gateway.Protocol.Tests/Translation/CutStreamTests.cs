using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;
using Gateway.Testing.Scripting;

namespace Gateway.Protocol.Tests.Translation;

/// <summary>Every stream of the scripted server gives the same events wherever the network cuts it.</summary>
public sealed class CutStreamTests
{
    /// <summary>Longer streams (a 5 MB argument) are cut at as many places, evenly spread.</summary>
    private const int MostCuts = 2048;

    private static readonly RoundPlayer Player = new(Requests.Parse("""{"model":"m","input":"hi","stream":true}"""), RouteProfile.Generic);

    public static TheoryData<string> Streams() =>
        [.. Misbehaviours.All.Where(c => BodyOf(c.ToString()).Length > 0).Select(c => c.ToString())];

    [Theory]
    [MemberData(nameof(Streams))]
    public void Stream_CutAtEachByte_GivesTheSameEvents(string name)
    {
        var body = BodyOf(name);
        var whole = Player.PlayStream(body);
        var step = Math.Max(1, body.Length / MostCuts);
        if (body.Length > 1_000_000)
        {
            step = body.Length / 16;
        }

        for (var cut = 1; cut < body.Length; cut += step)
        {
            Assert.Equal(whole, Player.PlayStream(body, [cut, body.Length]));
        }
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public void Stream_ByteByByteWithCrLf_GivesTheSameEvents(string name)
    {
        var body = BodyOf(name);
        var crLf = RoundPlayer.ToCrLf(body);
        var size = body.Length > 1_000_000 ? 4093 : 1;
        Assert.Equal(Player.PlayStream(body), Player.PlayStream(crLf, Enumerable.Range(1, (crLf.Length / size) + 1).Select(i => Math.Min(i * size, crLf.Length))));
    }

    private static byte[] BodyOf(string name)
    {
        var script = Misbehaviours.Named(name).Script;
        return script.ContentType.StartsWith("text/event-stream", StringComparison.Ordinal) ? script.Body : [];
    }
}
