namespace Gateway.Load.Run;

/// <summary>The options of <c>list</c>; <c>list --help</c> prints their meaning, range and default.</summary>
/// <param name="Responses">How many there are.</param>
/// <param name="Page">How many a page has.</param>
/// <param name="Days">Over how many days before now they were created.</param>
/// <param name="Parts">How many lines of figures.</param>
/// <param name="Fleet">How the processes are started.</param>
internal sealed record ListOptions(int Responses, int Page, int Days, int Parts, RunOptions Fleet)
{
    /// <summary>Null when the help was wanted.</summary>
    public static ListOptions? Read(string[] args)
    {
        var line = new CommandLine(args);
        var (responses, page) = (line.Number("--responses", 1_000_000, 1, 100_000_000, "responses of the one tenant"), line.Number("--page", 100, 1, 100, "responses in a page"));
        var (days, parts) = (line.Number("--days", 30, 1, 3_000, "days before now over which they were created"), line.Number("--parts", 10, 1, 1_000, "lines of figures"));
        var options = new ListOptions(
            responses,
            page,
            days,
            parts,
            RunOptions.Default with
            {
                Targets = [Target.Redis],
                TextBytes = line.Number("--text-bytes", 500, 1, 100_000, "bytes of text in each request and in each answer"),
                Gateway = line.Text("--gateway", "the gateway's executable or .dll (default: src/Gateway/bin/Release of this repository)"),
                RedisConnection = line.Text("--redis", "connection string of a Redis to use (default: a redis-server from PATH is started)"),
            });
        return line.Complete() ? options : null;
    }
}
