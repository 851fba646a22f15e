using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Hosting;

public sealed class LogFormatTests
{
    [Theory]
    [InlineData("json")]
    [InlineData("simple")]
    public async Task FormatterName_OfTheConfiguration_IsUsed(string name)
    {
        using var store = new TemporaryFolder();
        await using var app = GatewayApplication.Build([$"--Gateway:Store:Path={store.Path}", $"--Logging:Console:FormatterName={name}"]);

        Assert.Equal(name, app.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName);
    }
}
