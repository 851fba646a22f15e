using System.Reflection;
using System.Text.RegularExpressions;
using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Documents;

/// <summary>The classes of options, the shipped <c>appsettings.json</c> and <c>docs/configuration.md</c> tell the same.</summary>
public sealed partial class ConfigurationTests : IAsyncLifetime
{
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

    [Fact]
    public void ShippedKeys_AreReadByAnOption() => Assert.Empty(UnknownIn(ShippedSettings.LoadWithExamples()));

    [Fact]
    public void EveryOption_IsShippedOrShownAsAnExample()
    {
        var shipped = ShippedSettings.LoadWithExamples().AsEnumerable().Select(pair => pair.Key).ToArray();

        Assert.DoesNotContain(Options(), option => !shipped.Any(key => Pattern(option).IsMatch(key)));
    }

    [Fact]
    public void EveryOption_IsDocumented()
    {
        var documented = Documented().Select(row => row.Key).ToArray();

        Assert.DoesNotContain(Options(), option => !documented.Any(key => Pattern(option).IsMatch(key)));
    }

    [Fact]
    public void DocumentedKeys_AreReadByAnOption()
    {
        var keys = Documented().Select(row => KeyValuePair.Create(row.Key.Replace('*', 'x'), (string?)"x")).DistinctBy(pair => pair.Key);

        Assert.Empty(UnknownIn(new ConfigurationBuilder().AddInMemoryCollection(keys).Build()));
    }

    [Fact]
    public void DocumentedDefaults_AreTheShippedOnes()
    {
        var shipped = ShippedSettings.LoadWithExamples().AsEnumerable().ToArray();
        var defaults = Documented().Where(row => row.Default is not null).ToArray();

        Assert.NotEmpty(defaults);
        Assert.All(defaults, row =>
        {
            var values = shipped.Where(pair => Pattern(row.Key).IsMatch(pair.Key)).Select(pair => pair.Value);
            Assert.Contains(row.Default, values, StringComparer.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public void ShippedValues_AreTheDefaultsOfTheirClass()
    {
        var shipped = ShippedSettings.Load();
        foreach (var section in _sections.Where(section => IsOptions(section.Options)))
        {
            var bound = Activator.CreateInstance(section.Options)!;
            var unset = Activator.CreateInstance(section.Options)!;
            shipped.GetSection($"Gateway:{section.Name}").Bind(bound);
            foreach (var property in section.Options.GetProperties().Where(property => property.PropertyType is { IsValueType: true } or { Name: "String" }))
            {
                if (property.GetValue(unset) is { } value)
                {
                    Assert.Equal((property.Name, value), (property.Name, property.GetValue(bound)));
                }
            }
        }
    }

    private IEnumerable<string> UnknownIn(IConfiguration configuration) => UnknownKeys.Find(configuration, _sections).Select(unknown => unknown.Key);

    /// <summary>The keys of all options, with <c>*</c> for a name that the operator gives.</summary>
    private IEnumerable<string> Options() => _sections.SelectMany(section => Walk($"Gateway:{section.Name}", section.Options));

    private IEnumerable<string> Walk(string key, Type type)
    {
        if (NamedEntries(type) is { } entry && IsOptions(entry))
        {
            return Walk($"{key}:*", entry);
        }

        // What has a section of its own is described there.
        return IsOptions(type) && (key.Count(c => c == ':') == 1 || !_sections.Any(section => section.Options == type))
            ? type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.CanWrite || property.PropertyType.IsGenericType)
                .SelectMany(property => Walk($"{key}:{property.Name}", property.PropertyType))
            : [key];
    }

    private static bool IsOptions(Type type) => type is { IsClass: true, Namespace: { } name } && name.StartsWith("Gateway", StringComparison.Ordinal);

    private static Type? NamedEntries(Type type) =>
        type is { IsGenericType: true } && type.GetGenericTypeDefinition() == typeof(Dictionary<,>) ? type.GetGenericArguments()[1] : null;

    /// <summary>The keys below <c>Gateway</c> in the tables of the page, with <c>*</c> as in <see cref="Options"/>, and their defaults.</summary>
    private static IEnumerable<(string Key, string? Default)> Documented()
    {
        foreach (var (heading, cells) in MarkdownTable.Rows(Repository.Read("docs/configuration.md")))
        {
            var section = heading.StartsWith("Gateway:", StringComparison.Ordinal) ? heading.Split(' ')[0] + ":" : string.Empty;
            foreach (var key in Code().Matches(cells[0]).Select(match => section + match.Groups["text"].Value))
            {
                if (key.StartsWith("Gateway:", StringComparison.Ordinal))
                {
                    var named = Name().Replace(key.Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal), match => match.Value == "<n>" ? "0" : "*");
                    yield return (named.Replace(":…", string.Empty, StringComparison.Ordinal), Default().Match(cells[2]) is { Success: true } value ? value.Groups["text"].Value : null);
                }
            }
        }
    }

    /// <summary>The key itself and all below it.</summary>
    private static Regex Pattern(string key) => new($"^{Regex.Escape(key).Replace("\\*", "[^:]+", StringComparison.Ordinal)}(:|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    [GeneratedRegex("`(?<text>[^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("<[^>]+>")]
    private static partial Regex Name();

    [GeneratedRegex("^`(?<text>[^`]+)`")]
    private static partial Regex Default();
}
