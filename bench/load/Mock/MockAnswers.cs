using System.Text;

namespace Gateway.Load.Mock;

/// <summary>The bytes that the mock sends, made once.</summary>
internal sealed class MockAnswers
{
    /// <summary>Digits of the moment of sending at the front of each paced chunk's text (<see cref="System.Diagnostics.Stopwatch"/> ticks).</summary>
    public const int StampDigits = 19;

    private const string Head = """data: {"id":"chatcmpl-load","object":"chat.completion.chunk","created":1767225600,"model":"mock","choices":[""";
    private const string NoUsage = "]}\n\n";

    public MockAnswers(MockOptions options)
    {
        var text = LoadText.OfLength(options.TextBytes);
        Json = Encoding.UTF8.GetBytes(
            """{"id":"chatcmpl-load","object":"chat.completion","created":1767225600,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"""
            + $"\"{text}\""
            + """},"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":110,"total_tokens":230}}""");

        var first = Head + """{"index":0,"delta":{"role":"assistant"},"finish_reason":null}""" + NoUsage;
        var delta = Head + """{"index":0,"delta":{"content":"word "},"finish_reason":null}""" + NoUsage;
        var last = Head + """{"index":0,"delta":{},"finish_reason":"stop"}""" + NoUsage
            + Head + """],"usage":{"prompt_tokens":120,"completion_tokens":200,"total_tokens":320}}""" + "\n\ndata: [DONE]\n\n";

        Burst = Encoding.UTF8.GetBytes(first + string.Concat(Enumerable.Repeat(delta, options.Deltas)) + last);
        PacedFirst = Encoding.UTF8.GetBytes(first);
        PacedLast = Encoding.UTF8.GetBytes(last);
        BeforeStamp = Encoding.UTF8.GetBytes(Head + """{"index":0,"delta":{"content":" """.TrimEnd());
        AfterStamp = Encoding.UTF8.GetBytes(""" "},"finish_reason":null}""" + NoUsage);
    }

    /// <summary>A whole completion.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>A whole event stream.</summary>
    public ReadOnlyMemory<byte> Burst { get; }

    public ReadOnlyMemory<byte> PacedFirst { get; }

    public ReadOnlyMemory<byte> PacedLast { get; }

    public ReadOnlyMemory<byte> BeforeStamp { get; }

    public ReadOnlyMemory<byte> AfterStamp { get; }

    public static ReadOnlyMemory<byte> Models { get; } = Encoding.UTF8.GetBytes(
        """{"object":"list","data":[{"id":"mock-json","object":"model"},{"id":"mock-burst","object":"model"},{"id":"mock-paced","object":"model"}]}""");
}
