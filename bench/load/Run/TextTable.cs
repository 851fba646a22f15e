using System.Globalization;
using System.Text;

namespace Gateway.Load.Run;

/// <summary>A scenario's result for people: a row for each figure, a column for each target.</summary>
internal static class TextTable
{
    private const int NameWidth = 20;
    private const int CellWidth = 18;

    public static string Of(ScenarioResult result)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"\n{result.Name}: {result.Calls}\n");
        Append(text, "median (ratio)", result.Targets.Keys);
        foreach (var figure in result.Targets.Values.First().Keys)
        {
            Append(text, figure, result.Targets.Values.Select(target => Median(target[figure])));
            if (figure is Figures.CpuPerRequest or Figures.CpuPerDelta && result.Targets.Values.First()[figure].Ratio is not null)
            {
                Append(text, "  quartiles", result.Targets.Values.Select(target => Quartiles(target[figure])));
            }
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, string name, IEnumerable<string> cells)
    {
        text.Append(name.PadRight(NameWidth));
        foreach (var cell in cells)
        {
            text.Append(cell.PadLeft(CellWidth));
        }

        text.Append('\n');
    }

    private static string Median(MetricResult figure) => figure.Ratio is { } ratio
        ? string.Create(CultureInfo.InvariantCulture, $"{Short(figure.Median)} ({ratio:0.00})")
        : Short(figure.Median);

    private static string Quartiles(MetricResult figure) =>
        string.Create(CultureInfo.InvariantCulture, $"{figure.RatioLow:0.00}..{figure.RatioHigh:0.00}");

    private static string Short(double value) => value.ToString(value < 10 ? "0.00" : value < 1_000 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
