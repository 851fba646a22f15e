namespace Gateway.Admin;

/// <summary>Marks the endpoints of administrators.</summary>
internal sealed class AdminRoute
{
    public static AdminRoute Instance { get; } = new();

    private AdminRoute()
    {
    }
}
