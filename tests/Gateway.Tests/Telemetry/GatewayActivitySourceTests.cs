using System.Diagnostics;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class GatewayActivitySourceTests
{
    [Fact]
    public void StartRound_SomebodyListens_IsNamedByOperationAndModel()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TelemetryNames.Gateway,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);

        using var activity = GatewayActivitySource.StartRound("local", "qwen3");
        GatewayActivitySource.Fail(activity, "upstream_timeout");

        Assert.Equal("chat qwen3", activity?.DisplayName);
        Assert.Equal(ActivityKind.Client, activity?.Kind);
        Assert.Equal("local", activity?.GetTagItem("gateway.upstream"));
        Assert.Equal("upstream_timeout", activity?.GetTagItem("error.type"));
        Assert.Equal(ActivityStatusCode.Error, activity?.Status);
        Assert.Null(activity?.StatusDescription);
    }

    [Fact]
    public void StartMcp_SomebodyListens_NamesStepAndHostOnly()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TelemetryNames.Gateway,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);

        using var activity = GatewayActivitySource.StartMcp("connect", "mcp.example.com");

        Assert.Equal(("gateway.mcp.connect", ActivityKind.Client), (activity?.DisplayName, activity?.Kind));
        Assert.Equal(KeyValuePair.Create<string, object?>("server.address", "mcp.example.com"), Assert.Single(activity?.TagObjects ?? []));
    }
}
