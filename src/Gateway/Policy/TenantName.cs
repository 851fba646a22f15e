using System.Text.RegularExpressions;

namespace Gateway.Policy;

/// <summary>What a tenant may be called. A name is part of the store's keys, and of patterns that find them.</summary>
internal static partial class TenantName
{
    public static bool IsValid(string name) => Rule().IsMatch(name);

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,62}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Rule();
}
