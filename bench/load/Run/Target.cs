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

    /// <summary>It is called at <c>/v1/responses</c>; the others at <c>/v1/chat/completions</c>.</summary>
    public bool SpeaksResponses => Name is Unstored or Sqlite or Redis;

    public bool Stores => Name is Sqlite or Redis;

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
