using Gateway.Policy;

namespace Gateway.Tests.Policy;

public sealed class LimitsOptionsValidatorTests
{
    [Fact]
    public void Validate_Defaults_AreValid() => Assert.True(new LimitsOptionsValidator().Validate(null, new LimitsOptions()).Succeeded);

    [Fact]
    public void Validate_EveryValueOutOfRange_NamesEachKeyValueAndRange()
    {
        var options = new LimitsOptions
        {
            RequestBodyBytes = 1,
            JsonDepth = 7,
            InputItems = 0,
            ContextBytes = 4,
            OpenStreams = -5,
            ResponseTime = TimeSpan.FromDays(8),
            KeepAliveInterval = TimeSpan.FromMilliseconds(10),
            UpstreamEventBytes = 2,
            UpstreamBodyBytes = 3,
            UpstreamCalls = 0,
        };

        var failures = new LimitsOptionsValidator().Validate(null, options).Failures;

        Assert.Equal(
            [
                "Gateway:Limits:RequestBodyBytes is 1: it must be from 1024 to 1073741824.",
                "Gateway:Limits:JsonDepth is 7: it must be from 8 to 512.",
                "Gateway:Limits:InputItems is 0: it must be from 1 to 1000000.",
                "Gateway:Limits:ContextBytes is 4: it must be from 65536 to 1073741824.",
                "Gateway:Limits:OpenStreams is -5: it must be from 1 to 1000000.",
                "Gateway:Limits:UpstreamEventBytes is 2: it must be from 65536 to 1073741824.",
                "Gateway:Limits:UpstreamBodyBytes is 3: it must be from 65536 to 1073741824.",
                "Gateway:Limits:UpstreamCalls is 0: it must be from 1 to 10000.",
                "Gateway:Limits:ResponseTime is 8.00:00:00: it must be from 00:00:01 to 7.00:00:00.",
                "Gateway:Limits:KeepAliveInterval is 00:00:00.0100000: it must be from 00:00:01 to 01:00:00.",
            ],
            failures);
    }
}
