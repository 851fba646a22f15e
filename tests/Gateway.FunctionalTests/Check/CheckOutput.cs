using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Check;

namespace Gateway.FunctionalTests.Check;

/// <summary>What one run of <c>gateway check</c> printed, and how it ended.</summary>
internal sealed partial record CheckOutput(int ExitCode, string Output, string Errors)
{
    /// <summary>The output with every duration as <c>0.00 s</c>.</summary>
    public string Timeless => Time().Replace(Output, time => "0.00 s".PadLeft(time.Length));

    public JsonElement Json => JsonElement.Parse(Output);

    /// <summary>The names of the cases with this result.</summary>
    public IEnumerable<string?> Names(string result) => Json.Each("cases").Where(row => row.Text("result") == result).Select(row => row.Text("name"));

    public string? Detail(string name) => Json.Each("cases").Single(row => row.Text("name") == name).Text("detail");

    public static async Task<CheckOutput> RunAsync(Uri url, IEnumerable<string> args, string? key = null, string? adminKey = null, CancellationToken interrupted = default)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var exitCode = await CheckCommand.RunAsync(
            ["--url", url.AbsoluteUri, .. args],
            name => name switch
            {
                "GATEWAY_API_KEY" => key,
                "GATEWAY_ADMIN_KEY" => adminKey,
                _ => null,
            },
            output, errors, interrupted);
        return new CheckOutput(exitCode, output.ToString(), errors.ToString());
    }

    [GeneratedRegex(@" +\d+\.\d\d s")]
    private static partial Regex Time();
}
