using System.Text;

namespace Gateway.Testing.Scripting;

/// <summary>One answer of a Chat Completions server, byte for byte: what a unit test reads and what <see cref="ScriptedUpstream"/> sends.</summary>
public sealed record ChatScript
{
    public const string EventStream = "text/event-stream";
    public const string Json = "application/json";

    public int Status { get; init; } = 200;

    /// <summary>The Content-Type header; empty to send none.</summary>
    public string ContentType { get; init; } = EventStream;

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<ChatStep> Steps { get; init; } = [];

    /// <summary>The byte blocks in order, without the other steps.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Blocks => Steps.OfType<SendStep>().Select(step => step.Bytes);

    /// <summary>The whole body in one piece.</summary>
    public byte[] Body
    {
        get
        {
            var blocks = Blocks.ToArray();
            var body = new byte[blocks.Sum(block => block.Length)];
            var at = 0;
            foreach (var block in blocks)
            {
                block.CopyTo(body.AsMemory(at));
                at += block.Length;
            }

            return body;
        }
    }

    /// <summary>The first hold of the script.</summary>
    public HoldStep Hold => Steps.OfType<HoldStep>().First();

    /// <summary>An answer with a JSON (or other) body in one piece.</summary>
    public static ChatScript Of(int status, string body, string contentType = Json) => new()
    {
        Status = status,
        ContentType = contentType,
        Steps = [new SendStep(Encoding.UTF8.GetBytes(body))],
    };

    /// <summary>The connection breaks before any byte of an answer.</summary>
    public static ChatScript ResetBeforeAnswer() => new() { Steps = [new ResetStep()] };

    public ChatScript WithHeader(string name, string value) =>
        this with { Headers = new Dictionary<string, string>(Headers) { [name] = value } };

    /// <summary>The same bytes cut into blocks of at most <paramref name="size"/> bytes, over the borders of characters and events.</summary>
    public ChatScript Split(int size)
    {
        var steps = new List<ChatStep>();
        foreach (var step in Steps)
        {
            if (step is not SendStep { Bytes.Length: > 0 } send)
            {
                steps.Add(step);
                continue;
            }

            for (var at = 0; at < send.Bytes.Length; at += size)
            {
                steps.Add(new SendStep(send.Bytes.Slice(at, Math.Min(size, send.Bytes.Length - at))));
            }
        }

        return this with { Steps = steps };
    }

    /// <summary>The same bytes with the time between two blocks that a real model would take.</summary>
    public ChatScript Paced(TimeSpan interval) =>
        this with { Steps = [.. Steps.SelectMany(step => (IEnumerable<ChatStep>)[step, new PaceStep(interval)])] };
}
