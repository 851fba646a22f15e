namespace Gateway.Upstream;

/// <summary>A model that an upstream names in its <c>/models</c>.</summary>
/// <param name="Id">The upstream's name for it.</param>
/// <param name="Created">Unix seconds; null when the upstream does not say.</param>
/// <param name="Window">The tokens that it can hold; null when the upstream does not say.</param>
internal readonly record struct DiscoveredModel(string Id, long? Created, int? Window = null);
