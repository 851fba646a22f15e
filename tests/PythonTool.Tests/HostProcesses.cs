using System.Globalization;
using System.Text;

namespace PythonTool.Tests;

/// <summary>The host's view of processes: those of sandboxes are among them.</summary>
internal static class HostProcesses
{
    /// <summary>A text that no other process has in its command line, and that <c>sleep</c> takes as a number of seconds.</summary>
    public static string NewMarker() => "9" + Random.Shared.NextInt64(1_000_000_000, 9_999_999_999).ToString(CultureInfo.InvariantCulture);

    /// <summary>The processes with the marker in their command line, or as their name.</summary>
    public static IReadOnlyList<int> Find(string marker) => [.. Directory.GetDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) ? id : 0)
        .Where(id => id > 0 && (Read(id, "cmdline").Contains(marker, StringComparison.Ordinal) || Read(id, "comm").Trim() == marker))];

    /// <summary>Waits until there is one. Nothing in a sandbox can tell the outside of itself, so this looks again and again.</summary>
    public static Task WaitForAsync(string marker) => WaitAsync(marker, found => found.Count > 0);

    /// <summary>Waits until none is left, where nothing else tells of the end.</summary>
    public static Task WaitForNoneAsync(string marker) => WaitAsync(marker, found => found.Count == 0);

    /// <summary>The letter of the process's state in <c>/proc</c>.</summary>
    public static char State(int id)
    {
        var stat = Read(id, "stat");
        return stat[stat.LastIndexOf(')') + 2];
    }

    private static async Task WaitAsync(string marker, Func<IReadOnlyList<int>, bool> seen)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!seen(Find(marker)))
        {
            await polls.WaitForNextTickAsync(patience.Token);
        }
    }

    private static string Read(int id, string file)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{id}/{file}"));
        }
        catch (IOException)
        {
            return ""; // gone
        }
    }
}
