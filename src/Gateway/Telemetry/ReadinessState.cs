namespace Gateway.Telemetry;

/// <summary>What one part says of itself.</summary>
/// <param name="Ready">
/// False takes this replica out of service. A shared dependency that was reached once and is down now stays true: all replicas would leave
/// at once, and none could answer the requests that need no such dependency.
/// </param>
/// <param name="Status">One word for the body: <c>ok</c>, <c>starting</c>, <c>down</c>, ….</param>
/// <param name="Detail">A sentence for the operator, without hosts or secrets; null for none.</param>
internal sealed record ReadinessState(bool Ready, string Status, string? Detail = null)
{
    public static ReadinessState Ok { get; } = new(true, "ok");
}
