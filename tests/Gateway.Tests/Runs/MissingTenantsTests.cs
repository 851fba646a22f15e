using Gateway.Policy;
using Gateway.Runs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Runs;

public sealed class MissingTenantsTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Settings _settings = new();
    private readonly ConfigurationRoot _configuration;
    private readonly TenantDirectory _directory;
    private readonly MissingTenants _missing;

    public MissingTenantsTests()
    {
        _configuration = new ConfigurationRoot([_settings]);
        _settings.Change("Gateway:Tenants:two:Keys:0", "key-two");
        var options = _configuration.GetSection(AccessOptions.Section).Get<AccessOptions>();
        _directory = new TenantDirectory(_configuration, Options.Create(options!), new AccessOptionsValidator(), NullLogger<TenantDirectory>.Instance);
        _missing = new MissingTenants(_directory, _time);
    }

    public void Dispose()
    {
        _directory.Dispose();
        _configuration.Dispose();
    }

    [Fact]
    public void WasRemoved_NobodyKnowsIt_IsSoADayAfterTheFirstLook()
    {
        _time.Advance(MissingTenants.Patience * 2);
        Assert.False(_missing.WasRemoved("one"));

        _time.Advance(MissingTenants.Patience - TimeSpan.FromSeconds(1));
        Assert.False(_missing.WasRemoved("one"));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.True(_missing.WasRemoved("one"));
        Assert.False(_missing.WasRemoved("two"));
        Assert.False(_missing.WasRemoved("three"));
    }

    [Fact]
    public void WasRemoved_ItWasBackMeanwhile_TheDayBeginsAnew()
    {
        Assert.False(_missing.WasRemoved("one"));
        _time.Advance(TimeSpan.FromHours(20));
        Change("key-one");
        _missing.Refresh();
        Assert.False(_missing.WasRemoved("one"));
        Change(null);

        _time.Advance(TimeSpan.FromHours(20));
        Assert.False(_missing.WasRemoved("one"));
        _time.Advance(TimeSpan.FromHours(20));
        Assert.False(_missing.WasRemoved("one"));
        _time.Advance(TimeSpan.FromHours(4));

        Assert.True(_missing.WasRemoved("one"));
    }

    private void Change(string? key) => _settings.Change("Gateway:Tenants:one:Keys:0", key);

    /// <summary>A source whose keys can also be taken away, as by editing a file.</summary>
    private sealed class Settings : ConfigurationProvider
    {
        public void Change(string key, string? value)
        {
            Data.Remove(key);
            if (value is not null)
            {
                Data[key] = value;
            }

            OnReload();
        }
    }
}
