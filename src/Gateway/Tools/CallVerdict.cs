namespace Gateway.Tools;

/// <summary>What becomes of a server-run call.</summary>
internal enum CallVerdict
{
    /// <summary>It runs.</summary>
    Run,

    /// <summary>The user is asked first.</summary>
    AskUser,

    /// <summary>The model was cut off in the middle of it.</summary>
    Cut,

    /// <summary>The tool does not exist, or may not be used.</summary>
    Unknown,

    /// <summary>The same call was made too often.</summary>
    Repeated,

    /// <summary>No call is left.</summary>
    OverLimit,
}
