using Gateway.Egress;
using Gateway.Policy;

namespace Gateway.Tests.Egress;

public sealed class EgressCheckTests : EgressTest
{
    private const string Public = "93.184.216.34";

    [Theory]
    [InlineData("http://127.0.0.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://127.0.0.1./")]
    [InlineData("http://0/")]
    [InlineData("http://10.0.0.1:8080/x")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:7f00:1]/")]
    [InlineData("http://[::127.0.0.1]/")]
    [InlineData("http://[64:ff9b::7f00:1]/")]
    [InlineData("http://[2002:7f00:1::]/")]
    [InlineData("http://[fe80::1%25eth0]/")]
    [InlineData("http://[fd00:ec2::254]/")]
    [InlineData("https://[fc00::1]:8443/")]
    public async Task Check_AddressThatIsNotPublic_IsRefusedInEveryForm(string url)
    {
        // A form that the parser leaves as a name would be resolved by the system as the address.
        Resolver.Add("0", "0.0.0.0");

        var refusal = await Scope().CheckAsync(new Uri(url), Cancellation);

        Assert.Equal(EgressRefusalKind.AddressNotAllowed, refusal?.Kind);
        Assert.Equal(1, Metrics.Sum("gateway.egress.refusals"));
        Assert.Equal("address_not_allowed", Metrics.Of("gateway.egress.refusals").Single().Tags["gateway.egress.reason"]);
    }

    [Theory]
    [InlineData("http://93.184.216.34/")]
    [InlineData("https://[2606:4700:4700::1111]:8443/mcp")]
    [InlineData("https://site.example/mcp?key=value")]
    [InlineData("HTTPS://SITE.EXAMPLE./")]
    public async Task Check_PublicHost_IsAllowed(string url)
    {
        Resolver.Add("site.example", Public, "2606:4700:4700::1111");

        Assert.Null(await Scope().CheckAsync(new Uri(url), Cancellation));
    }

    [Fact]
    public async Task Check_NameWithoutAnAnswerInTime_IsRefusedAsUnresolved()
    {
        Options.Egress.ConnectTimeout = TimeSpan.FromSeconds(3);
        Resolver.Hold("site.example");
        var check = Scope().CheckAsync(new Uri("http://site.example/"), Cancellation).AsTask();

        Time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(check.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(0.1));

        Assert.Equal(EgressRefusalKind.HostUnresolved, (await check)?.Kind);
        Assert.Equal("host_unresolved", Metrics.Of("gateway.egress.refusals").Single().Tags["gateway.egress.reason"]);
    }

    [Theory]
    [InlineData("ftp://site.example/", nameof(EgressRefusalKind.Scheme))]
    [InlineData("file:///etc/passwd", nameof(EgressRefusalKind.Scheme))]
    [InlineData("data:text/plain,x", nameof(EgressRefusalKind.Scheme))]
    [InlineData("gopher://site.example:70/", nameof(EgressRefusalKind.Scheme))]
    [InlineData("ws://site.example/", nameof(EgressRefusalKind.Scheme))]
    [InlineData("/relative", nameof(EgressRefusalKind.InvalidUrl))]
    [InlineData("http://site.example:0/", nameof(EgressRefusalKind.InvalidUrl))]
    [InlineData("http://xn--ä.example/", nameof(EgressRefusalKind.InvalidUrl))]
    [InlineData("http://אa.example/", nameof(EgressRefusalKind.InvalidUrl))]
    [InlineData("http://user@site.example/", nameof(EgressRefusalKind.UserInfo))]
    [InlineData("http://user:pass@site.example/", nameof(EgressRefusalKind.UserInfo))]
    [InlineData("http://site.example@10.0.0.1/", nameof(EgressRefusalKind.UserInfo))]
    [InlineData("http://nowhere.example/", nameof(EgressRefusalKind.HostUnresolved))]
    [InlineData("http://１２７.０.０.１/", nameof(EgressRefusalKind.HostUnresolved))]
    public async Task Check_UrlOfAnotherForm_IsRefused(string url, string kind)
    {
        Resolver.Add("site.example", Public);

        var refusal = await Scope().CheckAsync(new Uri(url, UriKind.RelativeOrAbsolute), Cancellation);

        Assert.Equal(kind, refusal?.Kind.ToString());
    }

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData(Public, "10.0.0.1")]
    [InlineData("10.0.0.1", Public)]
    [InlineData(Public, "2606:4700:4700::1111", "::1")]
    [InlineData("::ffff:192.168.0.1")]
    public async Task Check_NameWithOneBadAddress_IsRefused(params string[] addresses)
    {
        Resolver.Add("site.example", addresses);

        var refusal = await Scope().CheckAsync(new Uri("http://site.example/"), Cancellation);

        Assert.Equal(EgressRefusalKind.AddressNotAllowed, refusal?.Kind);
    }

    [Fact]
    public async Task Check_NameWithoutAnAddress_IsRefused()
    {
        Resolver.Add("site.example");

        Assert.Equal(EgressRefusalKind.HostUnresolved, (await Scope().CheckAsync(new Uri("http://site.example/"), Cancellation))?.Kind);
    }

    [Fact]
    public async Task Check_UnknownAndPrivateNames_AreToldAlike()
    {
        Resolver.Add("private.example", "10.1.2.3");

        var unknown = await Scope().CheckAsync(new Uri("http://unknown.example/"), Cancellation);
        var @private = await Scope().CheckAsync(new Uri("http://private.example/"), Cancellation);

        Assert.Equal(unknown?.Message, @private?.Message);
        Assert.DoesNotContain("10.1.2.3", @private?.Message + Logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_Refused_LogsTheHostAndNothingElseOfTheUrl()
    {
        await Scope().CheckAsync(new Uri("http://user-secret:pass-secret@10.0.0.1/path-secret?query-secret#fragment-secret"), Cancellation);

        Assert.Contains("10.0.0.1", Logs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", Logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tools.internal", "http://tools.internal:8443/", true)]
    [InlineData("tools.internal", "http://TOOLS.internal.:8443/", true)]
    [InlineData("tools.internal:8443", "http://tools.internal:8443/", true)]
    [InlineData("tools.internal:8443", "http://tools.internal:8444/", false)]
    [InlineData("tools.internal:443", "https://tools.internal/", true)]
    [InlineData("*.internal", "http://tools.internal/", true)]
    [InlineData("other.internal", "http://tools.internal/", false)]
    [InlineData("10.1.2.3", "http://tools.internal/", true)]
    [InlineData("10.1.2.3:80", "http://tools.internal/", true)]
    [InlineData("10.1.2.3:81", "http://tools.internal/", false)]
    [InlineData("10.1.0.0/16", "http://tools.internal/", true)]
    [InlineData("10.1.0.0/16:80", "http://10.1.2.3/", true)]
    [InlineData("10.1.0.0/16:80", "http://10.1.2.3:81/", false)]
    [InlineData("10.2.0.0/16", "http://tools.internal/", false)]
    [InlineData("127.0.0.1:9000", "http://127.1:9000/", true)]
    [InlineData("127.0.0.1:9000", "http://[::ffff:127.0.0.1]:9000/", true)]
    [InlineData("::1", "http://[::1]/", true)]
    [InlineData("[fd00::/8]:8443", "http://[fd12::1]:8443/", true)]
    [InlineData("[fd00::/8]:8443", "http://[fd12::1]:8444/", false)]
    [InlineData("169.254.169.254", "http://169.254.169.254/", true)]
    [InlineData("169.254.0.0/16", "http://169.254.169.254/", false)]
    [InlineData("0.0.0.0/0", "http://169.254.169.254/", false)]
    [InlineData("meta.internal", "http://meta.internal/", false)]
    [InlineData("0.0.0.0/0", "http://0.0.0.0/", false)]
    [InlineData("0.0.0.0/0", "http://224.0.0.1/", false)]
    [InlineData("0.0.0.0/0", "http://255.255.255.255/", false)]
    public async Task Check_OperatorsRule_AllowsWhatItNames(string rule, string url, bool allowed)
    {
        Resolver.Add("tools.internal", "10.1.2.3").Add("meta.internal", "169.254.169.254");
        Options.AllowedHosts = [rule];

        var refusal = await Scope().CheckAsync(new Uri(url), Cancellation);

        Assert.Equal(allowed ? null : EgressRefusalKind.AddressNotAllowed, refusal?.Kind);
    }

    [Fact]
    public async Task Check_OneOfTwoAddressesAllowed_IsRefused()
    {
        Resolver.Add("tools.internal", "10.1.2.3", "10.2.2.3");
        Options.AllowedHosts = ["10.1.0.0/16"];

        Assert.NotNull(await Scope().CheckAsync(new Uri("http://tools.internal/"), Cancellation));
    }

    [Theory]
    [InlineData("site.example", "https://site.example/", true)]
    [InlineData("site.example", "https://SITE.example./", true)]
    [InlineData("site.example", "https://www.site.example/", false)]
    [InlineData("*.site.example", "https://www.site.example/", true)]
    [InlineData("*.site.example", "https://site.example/", false)]
    [InlineData("site.example:8443", "https://site.example/", false)]
    [InlineData("site.example", "https://site.example.evil.example/", false)]
    [InlineData("bücher.example", "https://BÜCHER.example/", true)]
    [InlineData("xn--bcher-kva.example", "https://bücher.example/", true)]
    [InlineData("93.184.216.34", "https://93.184.216.34/", true)]
    [InlineData("93.184.216.34", "https://site.example/", false)]
    public async Task Check_TenantWithAList_MayUseThoseHostsOnly(string rule, string url, bool allowed)
    {
        Resolver.Add("site.example", Public).Add("www.site.example", Public).Add("xn--bcher-kva.example", Public);

        var refusal = await Scope(rule).CheckAsync(new Uri(url), Cancellation);

        Assert.Equal(allowed ? null : EgressRefusalKind.HostNotListed, refusal?.Kind);
    }

    [Fact]
    public async Task Check_HostOnTheTenantsList_StillNeedsAPublicAddress()
    {
        Resolver.Add("tools.internal", "10.1.2.3");

        var refusal = await Scope("tools.internal").CheckAsync(new Uri("http://tools.internal/"), Cancellation);

        Assert.Equal(EgressRefusalKind.AddressNotAllowed, refusal?.Kind);
    }

    [Fact]
    public async Task Check_HostNotListed_IsRefusedBeforeItsNameIsAskedFor()
    {
        Resolver.Add("other.example", Public);

        await Scope("site.example").CheckAsync(new Uri("http://other.example/"), Cancellation);

        Assert.Empty(Resolver.Questions);
    }

    [Fact]
    public async Task Check_OperatorsOwnUrl_MayBePrivate()
    {
        Resolver.Add("tools.internal", "10.1.2.3");

        Assert.Null(await Guard.Operator.CheckAsync(new Uri("http://tools.internal/"), Cancellation));
        Assert.Equal(EgressRefusalKind.Scheme, (await Guard.Operator.CheckAsync(new Uri("ftp://tools.internal/"), Cancellation))?.Kind);
    }

    [Fact]
    public void For_OnePolicy_IsOneScope()
    {
        var policy = EffectivePolicy.From(new PolicyOptions());

        Assert.Same(Guard.For(policy), Guard.For(policy));
        Assert.NotSame(Guard.For(policy), Guard.For(EffectivePolicy.From(new PolicyOptions())));
    }

    [Fact]
    public void Message_EveryKind_HasOne() =>
        Assert.All(Enum.GetValues<EgressRefusalKind>(), kind => Assert.EndsWith(".", new EgressRefusal(kind).Message, StringComparison.Ordinal));
}
