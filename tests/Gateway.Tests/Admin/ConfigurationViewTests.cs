using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Admin;
using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Admin;

public sealed class ConfigurationViewTests : IAsyncLifetime
{
    private const string Mark = "Zx9Qw7";

    private readonly TemporaryFolder _store = new();
    private IReadOnlyList<KnownSection> _sections = [];

    public async ValueTask InitializeAsync()
    {
        await using var app = GatewayApplication.Build([$"--Gateway:Store:Path={_store.Path}"], builder => builder.Logging.ClearProviders());
        _sections = [.. app.Services.GetServices<KnownSection>()];
    }

    public ValueTask DisposeAsync()
    {
        _store.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("Admin:Keys:0", Mark)]
    [InlineData("Tenants:acme:Keys:0", Mark)]
    [InlineData("Tenants:acme:Keys:0", "sha256:" + Mark)]
    [InlineData("Secrets:Keys:0", Mark)]
    [InlineData("Store:Redis", "redis:6379,password=" + Mark + ",ssl=true")]
    [InlineData("Store:Redis", "redis:6379,password=a," + Mark)]
    [InlineData("Store:Redis", "redis://user:" + Mark + "@redis:6379")]
    [InlineData("Upstreams:a:ApiKey", Mark)]
    [InlineData("Upstreams:a:Headers:x-key", Mark)]
    [InlineData("Upstreams:a:Address", "http://user:" + Mark + "@h/v1")]
    [InlineData("Upstreams:a:Address", "http://h/v1?key=" + Mark)]
    [InlineData("Upstreams:a:Address", "http://h/v1#" + Mark)]
    [InlineData("Upstreams:a:Address", Mark)]
    [InlineData("Upstreams:a:Addresses:0", "http://" + Mark + "@h/v1")]
    [InlineData("Upstreams:a:ConnectTimeout", Mark)]
    [InlineData("Upstreams:a:ProfileOptions:extra_body:api_key", Mark)]
    [InlineData("Upstreams:a:ProfileOptions:drop_params:0", Mark)]
    [InlineData("Upstreams:a:ProfileOptions:stream", Mark)]
    [InlineData("Upstreams:a:ProfileOptions:" + Mark, "true")]
    [InlineData("Tools:Servers:s:ApiKey", Mark)]
    [InlineData("Tools:Servers:s:Headers:x-key", Mark)]
    [InlineData("Tools:Servers:s:Url", "https://user:" + Mark + "@h/mcp")]
    [InlineData("Tools:Servers:s:Url", "https://h/" + Mark + "/mcp?key=" + Mark)]
    [InlineData("Tools:Bindings:web_search:Arguments:key", Mark)]
    [InlineData("Tools:Bindings:web_search:Description", Mark)]
    [InlineData("NoSuchSection:Key", Mark)]
    [InlineData("Limits:NoSuchKey", Mark)]
    public void Write_Secret_DoesNotShow(string key, string value)
    {
        var text = Write(("Gateway:" + key, value)).ToJsonString();

        Assert.DoesNotContain(Mark.ToUpperInvariant(), text.ToUpperInvariant(), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_SecretInEveryText_ShowsOnlyOnTheList()
    {
        var texts = _sections.SelectMany(section => Texts(section.Name, section.Options)).ToArray();
        Assert.Contains("Upstreams:x:ApiKey", texts);
        Assert.Contains("Tools:Servers:x:ApiKey", texts);
        Assert.Contains("Secrets:Keys:0", texts);

        var shown = texts.Where(text => Write(($"Gateway:{text}", Mark)).ToJsonString().Contains(Mark, StringComparison.Ordinal));

        // A new option with a text is hidden; to show it is a decision, made here too.
        Assert.Equal(
            [
                "Admin:Address", "Passthrough:Paths:0", "Policy:Models:0", "Policy:ToolHosts:0", "Store:Path", "Store:Redis", "Store:RedisPasswordFile",
                "Tenants:x:AccountId", "Tenants:x:Policy:Models:0", "Tenants:x:Policy:ToolHosts:0", "Tools:AllowedHosts:0", "Tools:Bindings:x:Server",
                "Tools:Bindings:x:Tool", "Tools:Servers:x:AllowedTools:0", "Tools:Servers:x:ApiKeyFile", "Upstreams:x:ApiKeyFile", "Upstreams:x:CaFile",
                "Upstreams:x:Models:0", "Upstreams:x:Profile",
            ],
            shown.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Write_Settings_ShowWithDefaults()
    {
        var view = Write(
            ("Gateway:Upstreams:local:Address", "https://models:8443/v1"),
            ("Gateway:Upstreams:local:Models:0", "fast=qwen3"),
            ("Gateway:Upstreams:local:Headers:x-team", "blue"),
            ("Gateway:Upstreams:local:ProfileOptions:StreamOptions", "false"),
            ("Gateway:Upstreams:local:ProfileOptions:system_merge", "leading"),
            ("Gateway:Tools:Servers:search:Url", "https://search:9000/mcp"),
            ("Gateway:Store:Redis", "a:1, b:2,password=x"),
            ("Gateway:Limits:OpenStreams", "7"));

        var upstream = view["Upstreams"]!["local"]!;
        Assert.Equal("https://models:8443/v1", (string)upstream["Address"]!);
        Assert.Equal("fast=qwen3", (string)upstream["Models"]![0]!);
        Assert.Equal("[hidden]", (string)upstream["Headers"]!["x-team"]!);
        Assert.Null(upstream["ApiKey"]);
        Assert.Equal("00:10:00", (string)upstream["FirstByteTimeout"]!);
        Assert.Equal("""{"stream_options":false,"system_merge":"leading"}""", upstream["ProfileOptions"]!.ToJsonString());
        Assert.Equal("https://search:9000", (string)view["Tools"]!["Servers"]!["search"]!["Url"]!);
        Assert.Equal("a:1,b:2,[hidden]", (string)view["Store"]!["Redis"]!);
        Assert.Equal(7, (int)view["Limits"]!["OpenStreams"]!);
        Assert.Equal(64, (int)view["Limits"]!["JsonDepth"]!);
        Assert.Equal(3, (int)view["Tools"]!["Egress"]!["MaxRedirects"]!);
        Assert.False((bool)view["AllowAnonymous"]!);
        // Each section once, those with several classes too.
        Assert.Equal(_sections.Select(section => section.Name).Distinct().Count(), view.Count);
    }

    private JsonObject Write(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build();
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            ConfigurationView.Write(json, configuration, _sections);
        }

        return JsonNode.Parse(Encoding.UTF8.GetString(bytes.ToArray()))!.AsObject();
    }

    /// <summary>The keys of all texts of options, with <c>x</c> for a name and <c>0</c> for a place.</summary>
    private static IEnumerable<string> Texts(string key, Type type)
    {
        if (type == typeof(string))
        {
            return [key];
        }

        var element = type.IsGenericType ? type.GetGenericArguments()[^1] : null;
        if (element is not null && type.GetGenericArguments().Length == 2)
        {
            return Texts(key + ":x", element);
        }

        if (element is not null && Nullable.GetUnderlyingType(type) is null)
        {
            return Texts(key + ":0", element);
        }

        return type is { IsClass: true, Namespace: { } name } && name.StartsWith("Gateway", StringComparison.Ordinal)
            ? type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.CanWrite || property.PropertyType.IsGenericType)
                .SelectMany(property => Texts($"{key}:{property.Name}", property.PropertyType))
            : [];
    }
}
