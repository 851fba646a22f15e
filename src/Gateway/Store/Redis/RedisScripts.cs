namespace Gateway.Store.Redis;

/// <summary>The scripts beside this file. The client sends their text once to each server, then their hash.</summary>
internal static class RedisScripts
{
    public static string Commit { get; } = Read("commit");

    public static string Keep { get; } = Read("keep");

    public static string Index { get; } = Read("index");

    public static string Delete { get; } = Read("delete");

    public static string Prolong { get; } = Read("prolong");

    public static string Release { get; } = Read("release");

    private static string Read(string name)
    {
        var resource = $"Gateway.Store.Redis.{name}.lua";
        using var stream = typeof(RedisScripts).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The resource {resource} is missing in the build.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
