using Gateway.Check;

namespace Gateway.Tests.Check;

/// <summary>The command line of <c>gateway check</c>.</summary>
public sealed class CheckArgumentsTests
{
    [Fact]
    public void Nothing_GivesTheDefaults()
    {
        var read = Parse();

        Assert.Equal(("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"), (read.Url.AbsoluteUri, read.AdminUrl.AbsoluteUri));
        Assert.Equal((null, TimeSpan.FromSeconds(60), false, false), (read.Model, read.Timeout, read.Json, read.ShowsHelp));
        Assert.Same(CheckCases.All, read.Cases);
    }

    [Fact]
    public void Options_AreRead_InBothForms()
    {
        var read = Parse("--url", "https://gw.example/base", "--model=a/b=c", "--timeout", "5", "--only", "stream, basic", "--json", "--admin-url=http://127.0.0.1:9000");

        Assert.Equal(("https://gw.example/base/", "http://127.0.0.1:9000/"), (read.Url.AbsoluteUri, read.AdminUrl.AbsoluteUri));
        Assert.Equal(("a/b=c", TimeSpan.FromSeconds(5), true), (read.Model, read.Timeout, read.Json));
        // In the order of the list.
        Assert.Equal(["basic", "stream"], read.Cases.Select(one => one.Name));
        Assert.Equal("http://gw:1/", Parse("--url", "http://gw:1").AdminUrl.AbsoluteUri);
        Assert.True(Parse("--help").ShowsHelp);
    }

    [Theory]
    [InlineData("only options are taken, which begin with --", "Zx9Qw7Rk")]
    [InlineData("--api-key is not known: keys come from the environment (GATEWAY_API_KEY, GATEWAY_ADMIN_KEY)", "--api-key=Zx9Qw7Rk")]
    [InlineData("--colour is not known", "--colour", "Zx9Qw7Rk")]
    [InlineData("--url wants a value", "--url")]
    [InlineData("--url wants a value", "--url=")]
    [InlineData("--json takes no value", "--json=Zx9Qw7Rk")]
    [InlineData("--model is given twice", "--model", "a", "--model", "b")]
    [InlineData("--url wants an address such as http://127.0.0.1:8080", "--url", "gateway:8080")]
    [InlineData("--url wants an address such as http://127.0.0.1:8080", "--url", "ftp://gateway")]
    [InlineData("--url takes no user, query or fragment", "--url", "http://user:Zx9Qw7Rk@gateway")]
    [InlineData("--url wants the address without /v1: both base paths are asked", "--url", "http://gateway/v1/")]
    [InlineData("--admin-url takes no user, query or fragment", "--admin-url", "http://gateway?key=Zx9Qw7Rk")]
    [InlineData("--timeout wants a whole number of seconds from 1 to 3600", "--timeout", "0")]
    [InlineData("--timeout wants a whole number of seconds from 1 to 3600", "--timeout", "3601")]
    [InlineData("--timeout wants a whole number of seconds from 1 to 3600", "--timeout", "1.5")]
    public void WrongOption_IsToldWithoutItsValue(string problem, params string[] args)
    {
        Assert.False(CheckArguments.TryParse(args, out _, out var told));

        Assert.Equal(problem, told);
        Assert.DoesNotContain("Zx9Qw7Rk", told, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownCase_IsToldWithTheKnownOnes()
    {
        Assert.False(CheckArguments.TryParse(["--only", "basic,baisc"], out _, out var told));

        Assert.StartsWith("--only wants names of cases: health, models, basic, ", told, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "", "gateway check: --colour is not known. See gateway check --help.\n", "--colour")]
    [InlineData(2, "", "gateway check: GATEWAY_API_KEY is no key: it has other than visible ASCII characters.\n")]
    public async Task Command_ThatCannotBegin_EndsWith2(int exitCode, string output, string errors, params string[] args)
    {
        using var written = new StringWriter();
        using var complained = new StringWriter();

        Assert.Equal(exitCode, await CheckCommand.RunAsync(args, _ => "Zx9\nQw7Rk", written, complained, TestContext.Current.CancellationToken));

        Assert.Equal((output, errors), (written.ToString(), complained.ToString()));
    }

    [Fact]
    public async Task Help_NamesEveryOptionAndCase()
    {
        using var written = new StringWriter();

        Assert.Equal(0, await CheckCommand.RunAsync(["--help"], _ => null, written, TextWriter.Null, TestContext.Current.CancellationToken));

        Assert.All(CheckCases.All, one => Assert.Contains(one.Name, written.ToString(), StringComparison.Ordinal));
        Assert.All((string[])["--url", "--model", "--timeout", "--only", "--json", "--admin-url", "--help"], option => Assert.Contains($"\n  {option} ", written.ToString(), StringComparison.Ordinal));
    }

    private static CheckArguments Parse(params string[] args)
    {
        Assert.True(CheckArguments.TryParse(args, out var read, out var problem), problem);
        return read;
    }
}
