using Gateway.Egress;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Egress;

public sealed class EgressOptionsValidatorTests
{
    [Theory]
    [InlineData("AllowedHosts:0=tools.internal:8443", null)]
    [InlineData("AllowedHosts:0=", "Gateway:Tools:AllowedHosts:0 is empty")]
    [InlineData("AllowedHosts:0=10.0.0.1/8", "Gateway:Tools:AllowedHosts:0 is '10.0.0.1/8'")]
    [InlineData("Egress:ConnectTimeout=00:00:00", "Gateway:Tools:Egress:ConnectTimeout is 00:00:00: it must be from 00:00:00.1000000 to 00:01:00.")]
    [InlineData("Egress:MaxRedirects=-1", "Gateway:Tools:Egress:MaxRedirects is -1: it must be from 0 to 20.")]
    [InlineData("Egress:MaxRedirects=0", null)]
    [InlineData("Egress:ResponseBytes=1", "Gateway:Tools:Egress:ResponseBytes is 1: it must be from 1024 to 1073741824.")]
    [InlineData("Egress:ResponseBytes=1048576", "Gateway:Tools:Images:ImageBytes is 10485760: it must not be above Egress:ResponseBytes, which is 1048576.")]
    [InlineData("Egress:EventBytes=0", "Gateway:Tools:Egress:EventBytes is 0")]
    [InlineData("Images:MaxImages=1001", "Gateway:Tools:Images:MaxImages is 1001")]
    [InlineData("Images:ImageBytes=1", "Gateway:Tools:Images:ImageBytes is 1:")]
    [InlineData("Images:TotalBytes=1", "Gateway:Tools:Images:TotalBytes is 1:")]
    [InlineData("Images:Concurrency=0", "Gateway:Tools:Images:Concurrency is 0: it must be from 1 to 64.")]
    [InlineData("Images:Timeout=01:00:00", "Gateway:Tools:Images:Timeout is 01:00:00")]
    public void Validate_OneSetting_NamesKeyAndValue(string setting, string? failure)
    {
        var (key, value) = (setting[..setting.IndexOf('=', StringComparison.Ordinal)], setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        var options = new EgressOptions();
        new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Gateway:Tools:" + key, (string?)value)]).Build()
            .GetSection(EgressOptions.Section).Bind(options);

        var result = new EgressOptionsValidator().Validate(null, options);

        if (failure is null)
        {
            Assert.True(result.Succeeded, result.FailureMessage);
        }
        else
        {
            Assert.Contains(failure, result.FailureMessage, StringComparison.Ordinal);
        }
    }
}
