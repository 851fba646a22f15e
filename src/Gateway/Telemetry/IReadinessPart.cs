namespace Gateway.Telemetry;

/// <summary>One part of what <c>/health/ready</c> tells. A feature registers its own; checking must be instant and make no call.</summary>
internal interface IReadinessPart
{
    /// <summary>The part's key in the body, such as <c>store</c>.</summary>
    string Name { get; }

    ReadinessState Check();
}
