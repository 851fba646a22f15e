using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Gateway.Load.Mock;

/// <summary>
/// What the model and the tool took, measured where they waited. It travels in the data itself: in the tool's arguments, its result, and the
/// answer's text. So the client can take it from a response's own latency, however late a timer was.
/// </summary>
internal static class Waited
{
    /// <summary>Stands before the digits in a text.</summary>
    private const string Mark = "waited ";

    private const int Digits = 19;

    public static string ToText(long ticks) => Mark + ticks.ToString("D19", CultureInfo.InvariantCulture);

    /// <summary>The last one that a body has, in <see cref="Stopwatch"/> ticks; null if it has none.</summary>
    public static long? FindLast(ReadOnlySpan<byte> body)
    {
        var at = body.LastIndexOf(Encoding.ASCII.GetBytes(Mark)) + Mark.Length;
        return at >= Mark.Length && body.Length >= at + Digits && long.TryParse(body.Slice(at, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            ? ticks
            : null;
    }

    /// <summary>Waits at least as long; at once for zero.</summary>
    /// <returns>How long it really was, in <see cref="Stopwatch"/> ticks.</returns>
    public static async ValueTask<long> ForAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        if (time == TimeSpan.Zero)
        {
            return 0;
        }

        var started = Stopwatch.GetTimestamp();
        await Task.Delay(time, cancellationToken);
        return Stopwatch.GetTimestamp() - started;
    }
}
