using System.Globalization;

namespace Gateway.Load.Run;

/// <summary>Reads the gateway's own metrics.</summary>
internal static class Metrics
{
    /// <summary>The samples of one metric: their labels as Prometheus writes them, and their values.</summary>
    public static async Task<IReadOnlyList<(string Labels, double Value)>> ReadAsync(Target target, string name, CancellationToken cancellationToken)
    {
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri(target.Address, "/metrics"), cancellationToken);
        return
        [
            .. from line in text.Split('\n')
               where line.StartsWith(name + "{", StringComparison.Ordinal)
               let end = line.LastIndexOf('}')
               select (line[(name.Length + 1)..end], double.Parse(line[(end + 2)..].Split(' ')[0], CultureInfo.InvariantCulture)),
        ];
    }
}
