using System.Text.RegularExpressions;

namespace Gateway.Upstream.Probing;

/// <summary>What kind of server an upstream turned out to be.</summary>
/// <param name="Profile">The name of its row in <c>profiles.json</c>.</param>
/// <param name="Version">What it calls its version; null when it does not say.</param>
internal sealed partial record ServerKind(string Profile, string? Version)
{
    private const int MaxVersionLength = 64;

    /// <summary>A server nobody knows.</summary>
    public static ServerKind Unknown { get; } = new(ProfileTable.Generic, null);

    /// <summary>A kind with a version in the server's own words, of which only what looks like a version is kept: it is logged and shown.</summary>
    public static ServerKind Of(string profile, string? version) =>
        new(profile, version is not null && version.Length <= MaxVersionLength && VersionWord.IsMatch(version) ? version : null);

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._+-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex VersionWord { get; }
}
