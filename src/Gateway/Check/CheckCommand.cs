using System.Runtime.InteropServices;

namespace Gateway.Check;

/// <summary>The verb <c>check</c> of the executable: holds a running gateway, and the model server behind it, to what clients rely on.</summary>
internal static class CheckCommand
{
    public const int Good = 0;
    public const int Failed = 1;
    public const int NotAsked = 2;
    public const int Interrupted = 130;

    private const string KeyVariable = "GATEWAY_API_KEY";
    private const string AdminKeyVariable = "GATEWAY_ADMIN_KEY";

    /// <summary>The built-in model, which says little of a model server.</summary>
    private const string Demo = "demo";

    /// <summary>Runs it as a process does. The first SIGINT or SIGTERM ends it with what it stored deleted, the second one at once.</summary>
    /// <param name="args">The command line behind the verb.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        using var interruption = new CancellationTokenSource();
        void Interrupt(PosixSignalContext signal)
        {
            signal.Cancel = !interruption.IsCancellationRequested;
            interruption.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        return await RunAsync(args, Environment.GetEnvironmentVariable, Console.Out, Console.Error, interruption.Token);
    }

    /// <param name="args">The command line behind the verb.</param>
    /// <param name="environment">Reads a variable; null when it is not set.</param>
    /// <param name="output">The table, or the JSON.</param>
    /// <param name="errors">Why there is none.</param>
    /// <param name="interrupted">Ends it.</param>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, Func<string, string?> environment, TextWriter output, TextWriter errors, CancellationToken interrupted)
    {
        if (!CheckArguments.TryParse(args, out var arguments, out var problem))
        {
            await errors.WriteLineAsync($"gateway check: {problem}. See gateway check --help.");
            return NotAsked;
        }

        if (arguments.ShowsHelp)
        {
            await output.WriteLineAsync(CheckArguments.Help.Replace("CASES", string.Join(", ", CheckCases.All.Select(one => one.Name)), StringComparison.Ordinal));
            return Good;
        }

        if (!TryReadKey(environment, KeyVariable, out var key, out problem) || !TryReadKey(environment, AdminKeyVariable, out var adminKey, out problem))
        {
            await errors.WriteLineAsync($"gateway check: {problem}.");
            return NotAsked;
        }

        using var http = new CheckHttp(arguments.Url, key);
        var plain = new PlainText(key, adminKey);
        var (model, unreachable) = await FindModelAsync(http, arguments, interrupted);
        if (unreachable is not null)
        {
            await errors.WriteLineAsync($"gateway check: {plain.Clean(unreachable)}.");
            return interrupted.IsCancellationRequested ? Interrupted : NotAsked;
        }

        var table = arguments.Json ? null : new CheckTable(output);
        var url = arguments.Url.AbsoluteUri.TrimEnd('/');
        table?.Begin(url, model is null ? null : plain.Clean(model), arguments.Timeout);
        var run = new CheckRun(http, arguments, model, plain);
        var cases = await run.RunAsync(report => table?.Add(report), interrupted);
        var (upstreams, upstreamsProblem) = adminKey is null || interrupted.IsCancellationRequested ? (null, null) : await AskAdminAsync(arguments, adminKey, plain, interrupted);
        var result = new CheckReport
        {
            Url = url,
            Model = model is null ? null : plain.Clean(model),
            Cases = cases,
            Left = run.Left,
            Upstreams = upstreams,
            UpstreamsProblem = upstreamsProblem,
            WasInterrupted = interrupted.IsCancellationRequested,
        };
        table?.End(result);
        if (arguments.Json)
        {
            await output.WriteLineAsync(CheckJson.Render(result));
        }

        return result.WasInterrupted ? Interrupted : result.IsGood ? Good : Failed;
    }

    /// <summary>Whether somebody answers at all, takes the key, and has a model. Not asked when only the health is: that is told by its own case.</summary>
    private static async Task<(string? Model, string? Unreachable)> FindModelAsync(CheckHttp http, CheckArguments arguments, CancellationToken interrupted)
    {
        if (arguments.Cases is [{ Name: CheckCases.Health }])
        {
            return (arguments.Model, null);
        }

        using var time = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        time.CancelAfter(arguments.Timeout);
        try
        {
            var list = await http.SendAsync(HttpMethod.Get, "v1/models", null, time.Token);
            if (list.Status is 401 or 403)
            {
                return (null, $"the gateway at {arguments.Url} refuses the key: {list.Told}. {KeyVariable} is read from the environment");
            }

            var ids = list.Json.List("data").Select(model => model.Text("id")).OfType<string>().ToList();
            return (arguments.Model ?? ids.Find(id => id != Demo) ?? ids.FirstOrDefault(), null);
        }
        catch (HttpRequestException e)
        {
            return (null, $"no gateway answers at {arguments.Url}: {e.HttpRequestError}");
        }
        catch (OperationCanceledException)
        {
            return (null, interrupted.IsCancellationRequested ? "interrupted" : $"no gateway answers at {arguments.Url} within {arguments.Timeout.TotalSeconds:0} s");
        }
    }

    private static async Task<(IReadOnlyList<UpstreamReport>? Upstreams, string? Problem)> AskAdminAsync(
        CheckArguments arguments, string adminKey, PlainText plain, CancellationToken interrupted)
    {
        using var http = new CheckHttp(arguments.AdminUrl, adminKey);
        using var time = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        time.CancelAfter(arguments.Timeout);
        try
        {
            var answer = await http.SendAsync(HttpMethod.Get, "admin/upstreams", null, time.Token);
            return answer switch
            {
                { IsOk: true } => (UpstreamReport.Read(answer.Json, plain), null),
                { Status: 404 } => (null, "no /admin/upstreams here (404): Gateway:Admin:Keys is empty, or it has a port of its own (--admin-url)"),
                _ => (null, plain.Clean($"/admin/upstreams is not told: {answer.Told}")),
            };
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return (null, $"{arguments.AdminUrl}admin/upstreams does not answer");
        }
    }

    /// <summary>A key as it can stand in a header. What a file of a secret has around it (a line's end) is taken off.</summary>
    private static bool TryReadKey(Func<string, string?> environment, string variable, out string? key, out string? problem)
    {
        key = environment(variable)?.Trim();
        key = key is { Length: > 0 } ? key : null;
        problem = key?.All(c => c is > ' ' and < '\x7f') == false ? $"{variable} is no key: it has other than visible ASCII characters" : null;
        return problem is null;
    }
}
