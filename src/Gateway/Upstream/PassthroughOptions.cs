namespace Gateway.Upstream;

/// <summary>Which further paths are handed to the model servers as they are, under <c>Gateway:Passthrough</c>.</summary>
internal sealed class PassthroughOptions
{
    public const string Section = "Gateway:Passthrough";

    /// <summary>
    /// Paths below <c>/v1/</c>, such as <c>tokenize</c>; <c>name/*</c> takes everything below. Read at start. All tenants share the
    /// upstream's key: only stateless routes belong here. Default: none.
    /// </summary>
    public IList<string> Paths { get; } = [];
}
