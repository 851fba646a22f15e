using Gateway.Policy;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Policy;

public sealed class TenantDirectoryTests : IDisposable
{
    private readonly Settings _settings = new();
    private readonly ConfigurationRoot _configuration;
    private readonly List<TenantDirectory> _made = [];

    public TenantDirectoryTests() => _configuration = new ConfigurationRoot([_settings]);

    public void Dispose()
    {
        _made.ForEach(directory => directory.Dispose());
        _configuration.Dispose();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer anything")]
    public void Authenticate_NoKeysConfigured_IsDefault(string? header)
    {
        var directory = Make();

        var error = directory.Authenticate(header, out var tenant);

        Assert.Null(error);
        Assert.Equal("default", tenant.Name);
        Assert.False(directory.RequiresKey);
    }

    [Fact]
    public void Authenticate_DefaultTenantHasPolicyButNoKey_StaysOpenWithThatPolicy()
    {
        var directory = Make(("Gateway:Tenants:default:Policy:Store", "Never"));

        directory.Authenticate(null, out var tenant);

        Assert.False(directory.RequiresKey);
        Assert.False(tenant.Policy.StoreAllowed);
    }

    [Theory]
    [InlineData("Bearer in-clear", "a")]
    [InlineData("bearer in-clear", "a")]
    [InlineData("Bearer  in-clear ", "a")]
    [InlineData("Bearer secret", "b")]
    public void Authenticate_KnownKey_FindsItsTenant(string header, string name)
    {
        var error = Closed().Authenticate(header, out var tenant);

        Assert.Null(error);
        Assert.Equal(name, tenant.Name);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("Bearer ")]
    [InlineData("Bearer")]
    [InlineData("in-clear")]
    [InlineData("Basic in-clear")]
    [InlineData("Bearer in-cleaR")]
    [InlineData("Bearer in-clea")]
    [InlineData("Bearer in-clear,Bearer in-clear")]
    [InlineData("Bearer sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b")]
    public void Authenticate_AnythingElse_Is401AndNobody(string? header)
    {
        var error = Closed().Authenticate(header, out var tenant);

        Assert.Equal((401, "invalid_api_key"), (error?.Status, error?.Code));
        Assert.Same(Tenant.Nobody, tenant);
        Assert.False(tenant.Policy.StoreAllowed);
        Assert.False(tenant.Policy.AllowsModel("demo"));
    }

    [Fact]
    public void Authenticate_VeryLongKey_Is401()
    {
        var error = Closed().Authenticate("Bearer " + new string('x', 100_000), out _);

        Assert.Equal(401, error?.Status);
    }

    [Fact]
    public void Authenticate_TenantsWithoutAnyKey_IsClosedToAll()
    {
        var directory = Make(("Gateway:Tenants:a:AccountId", "x"));

        Assert.True(directory.RequiresKey);
        Assert.Equal(401, directory.Authenticate(null, out _)?.Status);
        Assert.Empty(directory.Names);
    }

    [Fact]
    public void Reload_ValidChange_TakesEffectAtOnce()
    {
        var directory = Closed();

        Change("Gateway:Tenants:a:Keys:0", "rotated");

        Assert.Equal(401, directory.Authenticate("Bearer in-clear", out _)?.Status);
        Assert.Null(directory.Authenticate("Bearer rotated", out _));
    }

    [Theory]
    [InlineData("Gateway:Tenants:b:Keys:0", "sha256:unreadable")]
    [InlineData("Gateway:Policy:Store", "Nevr")]
    public void Reload_InvalidChange_KeepsTheLastGoodState(string key, string value)
    {
        var directory = Closed();

        Change(key, value);

        Assert.Null(directory.Authenticate("Bearer secret", out var tenant));
        Assert.Equal("b", tenant.Name);
    }

    [Fact]
    public void AuthenticateAdmin_TakesAdministratorsKeysOnly()
    {
        var directory = Make(
            ("Gateway:Tenants:a:Keys:0", "of-a-tenant"),
            ("Gateway:Admin:Keys:0", "root"),
            ("Gateway:Admin:Keys:1", "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"));

        Assert.True(directory.HasAdminKeys);
        Assert.Null(directory.AuthenticateAdmin("Bearer root", out var first));
        Assert.Null(directory.AuthenticateAdmin("bearer secret", out var second));
        Assert.Equal((0, 1), (first, second));
        foreach (var header in (string?[])[null, "", "root", "Bearer ", "Bearer Root", "Bearer of-a-tenant", "Basic root", "Bearer " + new string('x', 100_000)])
        {
            Assert.Equal((401, "invalid_api_key"), directory.AuthenticateAdmin(header, out _) is { } error ? (error.Status, error.Code) : default);
        }

        Assert.Equal(401, directory.Authenticate("Bearer root", out _)?.Status);
    }

    [Fact]
    public void AuthenticateAdmin_NoKeys_RefusesEveryone()
    {
        var directory = Make();

        Assert.False(directory.HasAdminKeys);
        Assert.Equal(401, directory.AuthenticateAdmin(null, out _)?.Status);
        Assert.Equal(401, directory.AuthenticateAdmin("Bearer anything", out _)?.Status);
    }

    [Fact]
    public void AuthenticateAdmin_KeyTakenAway_IsRefusedAtOnce()
    {
        var directory = Make(("Gateway:Admin:Keys:0", "root"));

        Change("Gateway:Admin:Keys:0", null);

        Assert.Equal(401, directory.AuthenticateAdmin("Bearer root", out _)?.Status);
    }

    [Fact]
    public void Reload_LastKeyTakenAway_StaysClosed()
    {
        var directory = Make(("Gateway:Tenants:default:Keys:0", "only"));

        Change("Gateway:Tenants:default:Keys:0", null);

        Assert.True(directory.RequiresKey);
        Assert.Equal(401, directory.Authenticate("Bearer only", out _)?.Status);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("", true)]
    [InlineData("a", true)]
    [InlineData("A", false)]
    [InlineData("b", false)]
    public void CheckAccount_OfTenantWithKey_MustBeItsOwn(string? account, bool allowed)
    {
        Closed().Authenticate("Bearer in-clear", out var tenant);

        var error = TenantDirectory.CheckAccount(tenant, account);

        Assert.Equal(allowed ? null : 403, error?.Status);
    }

    [Fact]
    public void CheckAccount_ConfiguredAccount_ReplacesTheName()
    {
        var directory = Make(("Gateway:Tenants:a:Keys:0", "in-clear"), ("Gateway:Tenants:a:AccountId", "acc-1"));
        directory.Authenticate("Bearer in-clear", out var tenant);

        Assert.Null(TenantDirectory.CheckAccount(tenant, "acc-1"));
        Assert.Equal(403, TenantDirectory.CheckAccount(tenant, "a")?.Status);
    }

    [Fact]
    public void CheckAccount_NoKeysConfigured_IsIgnored()
    {
        Make().Authenticate(null, out var tenant);

        Assert.Null(TenantDirectory.CheckAccount(tenant, "whatever"));
    }

    [Fact]
    public void CheckModel_NotAllowed_AnswersAsIfUnknown()
    {
        Make(("Gateway:Policy:Models:0", "qwen*")).Authenticate(null, out var tenant);

        var error = TenantDirectory.CheckModel(tenant, "gpt-5");

        Assert.Null(TenantDirectory.CheckModel(tenant, "qwen3"));
        Assert.Equal((400, "model_not_found", "model"), (error?.Status, error?.Code, error?.Param));
        Assert.Equal("The requested model 'gpt-5' does not exist.", error?.Message);
    }

    [Fact]
    public void ApiKeyHash_Text_DoesNotShowTheHash()
    {
        ApiKeyHash.ReadConfigured("sha256:" + new string('a', 64), out var hash);

        Assert.Equal("sha256:…", hash.ToString());
    }

    [Fact]
    public void ApiKeyHash_AnyByteDiffers_IsNotEqual()
    {
        ApiKeyHash.ReadConfigured("sha256:" + new string('0', 64), out var zero);
        for (var i = 0; i < 64; i++)
        {
            ApiKeyHash.ReadConfigured("sha256:" + new string('0', i) + "1" + new string('0', 63 - i), out var other);

            Assert.False(zero.Equals(other));
            Assert.True(other.Equals(other));
        }
    }

    private TenantDirectory Closed() => Make(
        ("Gateway:Tenants:a:Keys:0", "in-clear"),
        ("Gateway:Tenants:b:Keys:0", "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"));

    private TenantDirectory Make(params (string Key, string Value)[] settings)
    {
        foreach (var (key, value) in settings)
        {
            _configuration[key] = value;
        }

        var options = _configuration.GetSection(AccessOptions.Section).Get<AccessOptions>() ?? new AccessOptions();
        var directory = new TenantDirectory(_configuration, Options.Create(options), new AccessOptionsValidator(), NullLogger<TenantDirectory>.Instance);
        _made.Add(directory);
        return directory;
    }

    private void Change(string key, string? value) => _settings.Change(key, value);

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
