using System.Diagnostics.Metrics;
using Gateway.Responses;
using Gateway.Telemetry;
using Gateway.Testing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Responses;

public sealed class ErrorMiddlewareTests
{
    [Fact]
    public async Task Client_ResetsItsConnectionInTheMiddleOfItsBody_IsNoBug()
    {
        using var logs = new CollectedLogs();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(logs));
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var metrics = new GatewayMetrics(services.GetRequiredService<IMeterFactory>());
        var errors = new ErrorMiddleware(
            _ => throw new ConnectionResetException("The client reset the connection."), metrics, factory.CreateLogger<ErrorMiddleware>());

        await errors.InvokeAsync(new DefaultHttpContext());

        Assert.Empty(logs.Errors);
    }
}
