using System.Globalization;
using System.Reflection;
using Gateway.Runs;
using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Runs;

public sealed class RunOptionsValidatorTests
{
    [Fact]
    public void Defaults_AreValid() => Assert.True(Validator(new StoreOptions().CommandTimeout).Validate(null, new RunOptions()).Succeeded);

    [Theory]
    [InlineData("Lease", "00:00:03", "00:10:00")]
    [InlineData("EventInterval", "00:00:00.0010000", "00:00:05")]
    [InlineData("EventRetention", "00:00:01", "30.00:00:00")]
    public void Time_OutsideItsRange_NamesKeyAndValue(string key, string min, string max)
    {
        var (least, most) = (TimeSpan.Parse(min, CultureInfo.InvariantCulture), TimeSpan.Parse(max, CultureInfo.InvariantCulture));
        AssertRange(key, least, most, least - TimeSpan.FromTicks(1), most + TimeSpan.FromTicks(1));
    }

    [Theory]
    [InlineData("Concurrent", 100_000)]
    [InlineData("Queue", 10_000_000)]
    [InlineData("Attempts", 1_000)]
    [InlineData("Followers", 1_000_000)]
    public void Count_OutsideItsRange_NamesKeyAndValue(string key, int most) => AssertRange(key, 1, most, 0, most + 1);

    [Fact]
    public void Lease_IsShorterThanACommandMayTake_NamesBothKeys()
    {
        var options = new RunOptions { Lease = TimeSpan.FromSeconds(7) };

        Assert.True(Validator(TimeSpan.FromSeconds(7)).Validate(null, options).Succeeded);
        var failure = Assert.Single(Validator(TimeSpan.FromSeconds(8)).Validate(null, options).Failures!);

        Assert.Equal("Gateway:Runs:Lease is 00:00:07, but must not be shorter than Gateway:Store:CommandTimeout, which is 00:00:08.", failure);
    }

    private static RunOptionsValidator Validator(TimeSpan? commandTimeout = null) =>
        new(Options.Create(new StoreOptions { CommandTimeout = commandTimeout ?? TimeSpan.FromSeconds(0.1) }));

    private static void AssertRange(string key, object least, object most, params object[] wrong)
    {
        foreach (var value in (object[])[least, most])
        {
            Assert.True(Validator().Validate(null, With(key, value)).Succeeded);
        }

        foreach (var value in wrong)
        {
            var failure = Assert.Single(Validator().Validate(null, With(key, value)).Failures!);
            Assert.StartsWith($"Gateway:Runs:{key} is {value},", failure, StringComparison.Ordinal);
        }
    }

    private static RunOptions With(string key, object value)
    {
        var options = new RunOptions();
        typeof(RunOptions).GetProperty(key, BindingFlags.Instance | BindingFlags.Public)!.SetValue(options, value);
        return options;
    }
}
