namespace Gateway.Policy;

/// <summary>Whether responses may be kept.</summary>
internal enum StorePolicy
{
    /// <summary>The request decides (<c>store</c>, true by default).</summary>
    Allow,

    /// <summary>Nothing is kept, whatever the request says.</summary>
    Never,
}
