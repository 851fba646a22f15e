using System.Text;
using Gateway.Check;
using Gateway.Protocol.Sse;
using Gateway.Tests.Documents;

namespace Gateway.Tests.Check;

/// <summary>What the check demands of streams is what the gateway's translation gives, for every recorded model server. What it objects to is told by BrokenGatewayTests.</summary>
public sealed class StreamRulesTests
{
    public static TheoryData<string> Recordings => [.. Repository.Files("expected.sse", "tests/Recordings/responses")];

    [Theory]
    [MemberData(nameof(Recordings))]
    public void RecordedStream_KeepsTheRules(string file)
    {
        var rules = new StreamRules("m");
        using var reader = new SseReader();
        var stream = Encoding.UTF8.GetBytes(Repository.Read(file));
        while (stream.Length > 0)
        {
            var taken = Math.Min(stream.Length, reader.GetBuffer().Length);
            stream.AsSpan(0, taken).CopyTo(reader.GetBuffer().Span);
            reader.Advance(taken);
            stream = stream[taken..];
            while (reader.TryRead(out var data))
            {
                rules.Take(data);
            }
        }

        Assert.True(ResponseRules.IsOver(rules.End()));
    }
}
