namespace Gateway.Upstream;

/// <summary>One row of the model list.</summary>
/// <param name="Id">The name clients use.</param>
/// <param name="Upstream">The upstream that serves it.</param>
/// <param name="Created">Unix seconds, as the upstream says, or since when the gateway knows it.</param>
internal sealed record ServedModel(string Id, string Upstream, long Created);
