using Gateway.Telemetry;

namespace Gateway.Policy;

/// <summary>Tells at the start who may use the gateway.</summary>
internal sealed class TenantLine(TenantDirectory tenants) : IStartupLine
{
    private const int MostNames = 10;

    public ValueTask<StartupText> DescribeAsync(CancellationToken cancellationToken)
    {
        if (!tenants.RequiresKey)
        {
            return ValueTask.FromResult(new StartupText("tenants", "no keys are configured: every request is tenant 'default'"));
        }

        var names = tenants.Names;
        var text = names.Count == 0 ? "none has a key" : string.Join(", ", names.Take(MostNames));
        return ValueTask.FromResult(new StartupText("tenants", names.Count > MostNames ? $"{text}, … ({names.Count} in all)" : text));
    }
}
