namespace Gateway.Load.Run;

/// <summary>What is measured: a process, and how it is spoken to.</summary>
internal sealed record Target(string Name, ChildProcess Process, Uri Address, LoadClient Client)
{
    /// <summary>A: the yardstick.</summary>
    public const string Yarp = "yarp";

    /// <summary>A': the same again, in a process of its own. Its ratio to A is the run's noise.</summary>
    public const string YarpAgain = "yarp-again";

    /// <summary>The gateway, <c>store:false</c>.</summary>
    public const string Unstored = "unstored";

    /// <summary>The gateway, <c>store:true</c>, embedded store.</summary>
    public const string Sqlite = "sqlite";

    /// <summary>The gateway, <c>store:true</c>, Redis.</summary>
    public const string Redis = "redis";

    /// <summary>The gateway's own <c>/v1/chat/completions</c>.</summary>
    public const string Passthrough = "passthrough";

    /// <summary>Behind the name of a target: the same again, in a process of its own; over the same store if that can be shared.</summary>
    public const string Again = "-again";

    /// <summary>Behind the name of a target: another one, with a resume window.</summary>
    public const string Resumable = "-resumable";

    /// <summary>Behind the name of a target: another one, whose upstream has several servers.</summary>
    public const string Several = "-several";

    /// <summary>It is called at <c>/v1/responses</c>; the others at <c>/v1/chat/completions</c>.</summary>
    public bool SpeaksResponses => Name.StartsWith(Unstored, StringComparison.Ordinal) || Stores;

    public bool Stores => UsesRedis(Name) || Name.StartsWith(Sqlite, StringComparison.Ordinal);

    /// <summary>The target of this name has its store in Redis.</summary>
    public static bool UsesRedis(string name) => name.StartsWith(Redis, StringComparison.Ordinal);

    /// <summary>The upstream of the target of this name has several servers.</summary>
    public static bool HasSeveralServers(string name) => name.EndsWith(Several, StringComparison.Ordinal);

    /// <summary>Where the events of a response are replayed, from the one behind number <paramref name="after"/> on.</summary>
    public Uri ReplayOf(string id, int after) => new(Address, $"/v1/responses/{id}?stream=true&starting_after={after}");

    /// <summary>Says of a failed call which process it was, and what that process had to say.</summary>
    public async Task<T> OrBlameAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (Exception failed) when (failed is HttpRequestException or IOException or LoadException)
        {
            throw new LoadException($"{Name}: {failed.Message}\nIt {Process.Condition}. Its last output:\n{Process.LastOutput}");
        }
    }
}
