namespace Gateway.Upstream;

/// <summary>Which further paths are handed to the model servers as they are.</summary>
internal sealed class PassthroughOptions
{
    public const string Section = "Gateway:Passthrough";

    /// <summary>
    /// Paths below <c>/v1/</c>, such as <c>tokenize</c>; <c>name/*</c> takes everything below. All tenants share the upstream's key: only
    /// stateless routes belong here.
    /// </summary>
    /// <value>Default: none</value>
    public IList<string> Paths { get; } = [];
}
