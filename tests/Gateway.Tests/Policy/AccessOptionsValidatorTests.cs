using Gateway.Policy;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Policy;

public sealed class AccessOptionsValidatorTests
{
    private const string Hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // "secret"

    [Theory]
    [InlineData("Gateway:Tenants:Acme:Keys:0=k", "Gateway:Tenants:Acme: the tenant name 'Acme' does not match")]
    [InlineData("Gateway:Tenants:-a:Keys:0=k", "the tenant name '-a' does not match")]
    [InlineData("Gateway:Tenants:a:Keys:0=", "Gateway:Tenants:a:Keys:0 is empty")]
    [InlineData("Gateway:Tenants:a:Keys:0=two words", "Gateway:Tenants:a:Keys:0 has white space")]
    [InlineData("Gateway:Tenants:a:Keys:1=k", null)]
    [InlineData("Gateway:Tenants:a:Keys:0=sha256:12", "Gateway:Tenants:a:Keys:0 is not readable")]
    [InlineData("Gateway:Tenants:a:Keys:0=sha256:zzb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "Keys:0 is not readable")]
    [InlineData("Gateway:Tenants:a:Keys:0=" + Hash, null)]
    [InlineData("Gateway:Tenants:a:AccountId= ", "Gateway:Tenants:a:AccountId is ' '")]
    [InlineData("Gateway:Policy:MaxToolCalls=0", "Gateway:Policy:MaxToolCalls is 0: it must be from 1 to 10000.")]
    [InlineData("Gateway:Policy:DefaultMaxToolCalls=10001", "Gateway:Policy:DefaultMaxToolCalls is 10001")]
    [InlineData("Gateway:Policy:DefaultMaxToolCalls=129", "Gateway:Policy:DefaultMaxToolCalls is 129: it must not be above MaxToolCalls, which is 128 there.")]
    [InlineData("Gateway:Policy:MaxToolCalls=3", null)]
    [InlineData("Gateway:Policy:OpenStreams=0", "Gateway:Policy:OpenStreams is 0")]
    [InlineData("Gateway:Policy:QueuedRuns=0", "Gateway:Policy:QueuedRuns is 0")]
    [InlineData("Gateway:Tenants:a:Policy:Followers=0", "Gateway:Tenants:a:Policy:Followers is 0")]
    [InlineData("Gateway:Policy:Models:0= ", "Gateway:Policy:Models:0 is empty")]
    [InlineData("Gateway:Policy:ToolHosts:0=*.example.com", null)]
    [InlineData("Gateway:Tenants:a:Policy:ToolHosts:0=https://example.com", "Gateway:Tenants:a:Policy:ToolHosts:0 is 'https://example.com'")]
    [InlineData("Gateway:Policy:Store=7", "Gateway:Policy:Store is '7': it must be Allow or Never.")]
    [InlineData("Gateway:Admin:Keys:0=", "Gateway:Admin:Keys:0 is empty")]
    [InlineData("Gateway:Admin:Keys:0=sha256:12", "Gateway:Admin:Keys:0 is not readable")]
    [InlineData("Gateway:Policy:Retention:Responses=00:00:00", "Gateway:Policy:Retention:Responses is 00:00:00: it must be from 00:00:01 to 3650.00:00:00.")]
    [InlineData("Gateway:Policy:Retention:Background=3651.00:00:00", "Gateway:Policy:Retention:Background is 3651.00:00:00: it must be")]
    [InlineData("Gateway:Tenants:a:Policy:Retention:Conversations=-1", "Gateway:Tenants:a:Policy:Retention:Conversations is -1.00:00:00: it must be")]
    [InlineData("Gateway:Tenants:a:Policy:Retention:Conversations=00:00:01", null)]
    [InlineData("Gateway:Tenants:a:Policy:OpenStreams=-1", "Gateway:Tenants:a:Policy:OpenStreams is -1")]
    public void Validate_OneSetting_NamesKeyAndValue(string setting, string? failure)
    {
        var result = new AccessOptionsValidator().Validate(null, Read(setting));

        if (failure is null)
        {
            Assert.True(result.Succeeded, result.FailureMessage);
        }
        else
        {
            Assert.Contains(failure, result.FailureMessage, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Validate_KeyOfTwoTenants_NamesBothAndNotTheKey()
    {
        var result = new AccessOptionsValidator().Validate(null, Read("Gateway:Tenants:a:Keys:0=secret", "Gateway:Tenants:b:Keys:0=" + Hash));

        Assert.Equal("Gateway:Tenants:b:Keys:0 is also a key of tenant 'a': a key belongs to one tenant.", result.FailureMessage);
    }

    [Fact]
    public void Validate_AdministratorsKeyThatIsATenants_IsRefusedWithoutQuotingIt()
    {
        var result = new AccessOptionsValidator().Validate(null, Read("Gateway:Tenants:a:Keys:0=secret", "Gateway:Admin:Keys:0=" + Hash));

        Assert.Equal("Gateway:Admin:Keys:0 is also a key of tenant 'a': what an administrator may do is not for tenants.", result.FailureMessage);
    }

    [Fact]
    public void Validate_LongKey_IsRefusedWithoutQuotingIt()
    {
        var key = new string('k', ApiKeyHash.MaxKeyBytes + 1);

        var result = new AccessOptionsValidator().Validate(null, Read("Gateway:Tenants:a:Keys:0=" + key));

        Assert.Contains("Gateway:Tenants:a:Keys:0 is too long", result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("kkk", result.FailureMessage, StringComparison.Ordinal);
    }

    private static AccessOptions Read(params string[] settings)
    {
        var pairs = settings.Select(s => s.Split('=', 2)).Select(p => KeyValuePair.Create(p[0], (string?)p[1]));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(pairs).Build();
        return configuration.GetSection(AccessOptions.Section).Get<AccessOptions>() ?? new AccessOptions();
    }
}
