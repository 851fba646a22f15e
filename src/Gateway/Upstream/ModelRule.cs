using System.IO.Enumeration;

namespace Gateway.Upstream;

/// <summary>One entry of <c>Models</c>: a name, a glob, or an alias of the upstream's name.</summary>
/// <param name="Name">What clients ask for; a glob when it holds <c>*</c> or <c>?</c>.</param>
/// <param name="UpstreamName">What the upstream is asked for; null when that is what the client asked for.</param>
internal sealed record ModelRule(string Name, string? UpstreamName)
{
    public bool IsGlob { get; } = Name.AsSpan().ContainsAny('*', '?');

    public bool Matches(string model) =>
        IsGlob ? FileSystemName.MatchesSimpleExpression(Name, model, ignoreCase: false) : string.Equals(Name, model, StringComparison.Ordinal);

    /// <summary>Reads <c>name</c>, <c>glob*</c> or <c>alias=upstream-name</c>; null when a side is empty or an alias stands for a glob.</summary>
    public static ModelRule? TryParse(string? text)
    {
        // A null in the configuration's list.
        text ??= "";
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var name = (equals < 0 ? text : text[..equals]).Trim();
        var target = equals < 0 ? null : text[(equals + 1)..].Trim();
        return name.Length == 0 || target is { Length: 0 } || (target is not null && target.AsSpan().ContainsAny('*', '?'))
            ? null
            : new ModelRule(name, target);
    }
}
