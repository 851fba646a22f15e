using System.Text.Json.Serialization;

namespace PythonTool;

/// <summary>How a call ended.</summary>
internal enum CallStatus
{
    /// <summary>The code ran to its end.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>The code raised an exception that it did not catch, or is no Python.</summary>
    [JsonStringEnumMemberName("error")]
    Error,

    /// <summary>The code ran longer than a call may.</summary>
    [JsonStringEnumMemberName("timeout")]
    Timeout,

    /// <summary>The interpreter ended before the code did: by itself, or for going over a limit.</summary>
    [JsonStringEnumMemberName("killed")]
    Killed,

    /// <summary>The code was not run.</summary>
    [JsonStringEnumMemberName("refused")]
    Refused,
}
