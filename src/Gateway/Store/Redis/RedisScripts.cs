namespace Gateway.Store.Redis;

/// <summary>The scripts beside this file. The client sends their text once to each server, then their hash.</summary>
internal static class RedisScripts
{
    public static string Commit { get; } = Read("commit");

    public static string Keep { get; } = Read("keep");

    public static string Index { get; } = Read("index");

    public static string IndexDays { get; } = Read("index-days");

    public static string IndexForget { get; } = Read("index-forget");

    public static string Delete { get; } = Read("delete");

    public static string Prolong { get; } = Read("prolong");

    public static string Release { get; } = Read("release");

    public static string RunEnqueue { get; } = Read("run-enqueue");

    public static string RunHint { get; } = Read("run-hint");

    public static string RunFind { get; } = Read("run-find");

    public static string RunCreate { get; } = Read("run-create");

    public static string RunForbid { get; } = Read("run-forbid");

    public static string RunTake { get; } = Read("run-take");

    public static string RunRenew { get; } = Read("run-renew");

    public static string RunAppend { get; } = Read("run-append");

    public static string RunRelease { get; } = Read("run-release");

    public static string RunCancel { get; } = Read("run-cancel");

    public static string RunFollowed { get; } = Read("run-followed");

    public static string RunDelete { get; } = Read("run-delete");

    public static string ConversationCreate { get; } = Read("conversation_create");

    public static string ConversationAdd { get; } = Read("conversation_add");

    public static string ConversationSet { get; } = Read("conversation_set");

    public static string ConversationOpen { get; } = Read("conversation_open");

    public static string ConversationRenew { get; } = Read("conversation_renew");

    public static string ConversationRelease { get; } = Read("conversation_release");

    public static string ConversationEdit { get; } = Read("conversation_edit");

    public static string ConversationDelete { get; } = Read("conversation_delete");

    public static string ConversationClaim { get; } = Read("conversation_claim");

    private static string Read(string name)
    {
        var resource = $"Gateway.Store.Redis.{name}.lua";
        using var stream = typeof(RedisScripts).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The resource {resource} is missing in the build.");
        using var reader = new StreamReader(stream);

        // Each use of a script hashes its text.
        return string.Join('\n', reader.ReadToEnd().Split('\n').Where(static line => !line.StartsWith("--", StringComparison.Ordinal) && line.Length > 0));
    }
}
