using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Gateway.Hosting;
using Gateway.Policy;
using Gateway.Testing;
using Gateway.Upstream;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Documents;

/// <summary>
/// The reference in <c>docs/configuration.md</c> is made from the classes of options: names, types and defaults are theirs, the words are those of their
/// comments. <c>summary</c> is the meaning; <c>value</c> is what may be given and, behind <c>Default:</c>, what holds where the class has no value
/// itself. With <c>UPDATE_DOCS=1</c> the page is written instead of compared.
/// </summary>
public sealed partial class ConfigurationReferenceTests : IAsyncLifetime
{
    private const string Page = "docs/configuration.md";
    private const string Begin = "<!-- Made from the classes of options. -->";
    private const string End = "<!-- End of what is made from the classes of options. -->";

    private static readonly Dictionary<string, XElement> Comments =
        XDocument.Load(Path.ChangeExtension(typeof(GatewayApplication).Assembly.Location, ".xml")).Descendants("member").ToDictionary(member => (string)member.Attribute("name")!);

    private readonly TemporaryFolder _store = new();
    private IReadOnlyList<KnownSection> _sections = [];

    private IEnumerable<Option> Options => Chapters().SelectMany(chapter => chapter.Options).Where(option => !HasChapter(option.Property.PropertyType));

    public async ValueTask InitializeAsync()
    {
        await using var app = Build([]);
        _sections = [.. app.Services.GetServices<KnownSection>()];
    }

    public ValueTask DisposeAsync()
    {
        _store.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void Page_TellsTheOptions()
    {
        var page = Repository.Read(Page);
        var from = page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var made = page[..from] + "\n" + Reference() + "\n" + page[page.IndexOf(End, StringComparison.Ordinal)..];
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(Path.Combine(Repository.Root, Page), made);
        }

        Assert.True(made == Repository.Read(Page), $"{Page} is stale: run this test once with UPDATE_DOCS=1.");
    }

    [Fact]
    public void Options_AreAllExplained() => Assert.Empty(Options.Where(option => option.Words("summary").Length == 0).Select(option => option.Key));

    [Fact]
    public void Defaults_AreToldOnce_ByTheClassOrInWords() =>
        Assert.Empty(Options.Where(option => option.HasDefault == option.Words("value").Contains("Default: ", StringComparison.Ordinal)).Select(option => option.Key));

    /// <summary>What stands as a range is what the gateway refuses to start without.</summary>
    [Fact]
    public async Task Ranges_AreThoseThatAreChecked()
    {
        var ranges = Options.Select(option => (Option: option, Range: Range().Match(option.Words("value")))).Where(pair => pair.Range.Success).ToArray();
        var limited = ranges.Where(pair => pair.Range.Groups["to"].Success).ToArray();
        Assert.True(ranges.Length > 60);

        Assert.Empty(await FailuresAsync(ranges.Select(pair => pair.Option.At(pair.Range, "from", pair.Range.Groups["above"].Success ? 1 : 0))));
        Assert.Empty(await FailuresAsync(limited.Select(pair => pair.Option.At(pair.Range, "to", 0))));
        var below = await FailuresAsync(ranges.Select(pair => pair.Option.At(pair.Range, "from", pair.Range.Groups["above"].Success ? 0 : -1)));
        var above = await FailuresAsync(limited.Select(pair => pair.Option.At(pair.Range, "to", 1)));
        Assert.All(ranges, pair => Assert.Contains(below, failure => failure.StartsWith(pair.Option.SomeKey + " is ", StringComparison.Ordinal)));
        Assert.All(limited, pair => Assert.Contains(above, failure => failure.StartsWith(pair.Option.SomeKey + " is ", StringComparison.Ordinal)));
    }

    private async Task<IReadOnlyList<string>> FailuresAsync(IEnumerable<KeyValuePair<string, string>> settings)
    {
        // What the host itself needs ends its making, before the others are looked at.
        var made = Failures(() => Build(settings), out var app);
        if (app is null)
        {
            return [.. made, .. await FailuresAsync(settings.Where(setting => !made.Any(failure => failure.StartsWith(setting.Key + " ", StringComparison.Ordinal))).ToArray())];
        }

        await using (app)
        {
            return
            [
                .. Failures(() => app.Services.GetRequiredService<UpstreamRegistry>(), out _),
                .. Failures(() => { app.Services.GetRequiredService<IStartupValidator>().Validate(); return string.Empty; }, out _),
            ];
        }
    }

    private static IReadOnlyList<string> Failures<T>(Func<T> make, out T? made)
    {
        made = default;
        try
        {
            made = make();
            return [];
        }
        catch (OptionsValidationException e)
        {
            return [.. e.Failures];
        }
        catch (AggregateException e)
        {
            return [.. e.InnerExceptions.Cast<OptionsValidationException>().SelectMany(inner => inner.Failures)];
        }
    }

    private WebApplication Build(IEnumerable<KeyValuePair<string, string>> settings) => GatewayApplication.Build(
        [$"--Gateway:Store:Path={_store.Path}", "--Gateway:Upstreams:x:Address=http://127.0.0.1:1/v1", .. settings.Select(setting => $"--{setting.Key}={setting.Value}")],
        builder => builder.Logging.ClearProviders());

    private string Reference()
    {
        var text = new StringBuilder();
        foreach (var chapter in Chapters())
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{(chapter.IsNested ? "###" : "##")} {chapter.Key.Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)}\n");
            foreach (var words in chapter.Types.SelectMany(type => (string[])[Words($"T:{type.FullName}", "summary"), Words($"T:{type.FullName}", "remarks")]).Where(words => chapter.Key != "Gateway" && words.Length > 0))
            {
                text.Append(CultureInfo.InvariantCulture, $"\n{words}\n");
            }

            text.Append("\n| key | meaning | default | values |\n| --- | --- | --- | --- |\n");
            foreach (var option in chapter.Options)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", Cells(option).Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n");
            }
        }

        return text.ToString();
    }

    private string[] Cells(Option option)
    {
        if (HasChapter(option.Property.PropertyType))
        {
            return [$"`{option.Name}:…`", option.Words("summary"), "none", $"as [Gateway:{option.Name}](#gateway{option.Name.ToLowerInvariant()})"];
        }

        var parts = option.Words("value").Split("Default: ", 2);
        var range = parts[0].TrimEnd(' ', '.');
        string[] values = [option.TypeWord, range.Length == 0 ? range : char.ToLowerInvariant(range[0]) + range[1..]];
        return [$"`{option.Name}`", option.Words("summary"), option.HasDefault ? option.DefaultText : parts[^1], string.Join(", ", values.Where(words => words.Length > 0))];
    }

    /// <summary>A heading for each class of options, in the order in which the features make their sections known.</summary>
    private IEnumerable<Chapter> Chapters()
    {
        foreach (var section in _sections.GroupBy(section => section.Name))
        {
            Type[] types = [.. section.Select(known => known.Options)];
            foreach (var chapter in EntryOf(types[0]) is { } entry ? Chapters($"Gateway:{section.Key}:<name>", [entry])
                : IsOptions(types[0]) ? Chapters($"Gateway:{section.Key}", types)
                : [new Chapter("Gateway", [typeof(AccessOptions)], [new Option("Gateway", typeof(AccessOptions).GetProperty(section.Key)!)])])
            {
                yield return chapter;
            }
        }
    }

    private IEnumerable<Chapter> Chapters(string key, IReadOnlyList<Type> types)
    {
        var properties = types.SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            .Where(property => property.CanWrite || property.PropertyType.IsGenericType).ToArray();
        yield return new Chapter(key, types, [.. properties.Where(property => HasChapter(property.PropertyType) || OptionsOf(property) is null).Select(property => new Option(key, property))]);
        foreach (var property in properties.Where(property => !HasChapter(property.PropertyType)))
        {
            if (OptionsOf(property) is { } inner)
            {
                foreach (var chapter in Chapters($"{key}:{property.Name}{(EntryOf(property.PropertyType) is null ? string.Empty : ":<name>")}", [inner]))
                {
                    yield return chapter with { IsNested = true };
                }
            }
        }
    }

    private static Type? OptionsOf(PropertyInfo property) =>
        IsOptions(property.PropertyType) ? property.PropertyType : EntryOf(property.PropertyType) is { } entry && IsOptions(entry) ? entry : null;

    private bool HasChapter(Type type) => _sections.Any(section => section.Options == type && IsOptions(type));

    private static bool IsOptions(Type type) => type is { IsClass: true, Namespace: { } name } && name.StartsWith("Gateway", StringComparison.Ordinal);

    private static Type? EntryOf(Type type) => type.GetInterfaces().Append(type)
        .FirstOrDefault(candidate => candidate.IsGenericType && candidate.GetGenericTypeDefinition() is var definition && (definition == typeof(IDictionary<,>) || definition == typeof(IReadOnlyDictionary<,>)))
        ?.GetGenericArguments()[1];

    /// <summary>A part of a comment as Markdown; empty when there is none.</summary>
    private static string Words(string member, string part) =>
        Comments.GetValueOrDefault(member)?.Element(part) is { } found ? Spaces().Replace(string.Concat(found.Nodes().Select(Markdown)), " ").Trim() : string.Empty;

    private static string Markdown(XNode node) => node switch
    {
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" } see when see.Attribute("href") is { } link => $"[{see.Value}]({link.Value})",
        XElement { Name.LocalName: "see" } see => $"`{see.Attribute("cref")!.Value.Split('.')[^1]}`",
        XText text => text.Value,
        _ => throw new NotSupportedException($"The page can not show {node}."),
    };

    private static decimal Amount(string text)
    {
        var parts = text.Split(' ', 2);
        return decimal.Parse(parts[0], CultureInfo.InvariantCulture) * (parts.Length == 1 ? 1 : parts[1].TrimEnd('s') switch
        {
            "millisecond" => TimeSpan.TicksPerMillisecond,
            "second" => TimeSpan.TicksPerSecond,
            "minute" => TimeSpan.TicksPerMinute,
            "hour" => TimeSpan.TicksPerHour,
            "day" => TimeSpan.TicksPerDay,
            "KiB" => 1L << 10,
            "MiB" => 1L << 20,
            "GiB" => 1L << 30,
            var unit => throw new FormatException($"What is a {unit}?"),
        });
    }

    [GeneratedRegex(@"^(At least (?<from>[\d.,]+)|(?<above>More than )?(?<from>[\d.,]+( \w+)?) to (?<to>[\d.,]+( (KiB|MiB|GiB|(milli)?seconds?|minutes?|hours?|days?))?))(?=$|[.,] )", RegexOptions.ExplicitCapture)]
    private static partial Regex Range();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    private sealed record Chapter(string Key, IReadOnlyList<Type> Types, IReadOnlyList<Option> Options)
    {
        public bool IsNested { get; init; }
    }

    private sealed record Option(string Chapter, PropertyInfo Property)
    {
        private readonly object? _default = Property.GetValue(Activator.CreateInstance(Property.DeclaringType!));

        public string Key => $"{Chapter}:{Property.Name}";

        /// <summary>The key for some entry of a dictionary.</summary>
        public string SomeKey => Key.Replace("<name>", "x", StringComparison.Ordinal);

        /// <summary>Behind its chapter's key; the only one of no class but <c>Gateway</c> itself is told whole.</summary>
        public string Name => (Chapter == "Gateway" ? "Gateway:" : string.Empty) + Property.Name + (IsKeyed ? ":<name>" : IsList ? ":<n>" : string.Empty);

        public bool HasDefault => _default switch { null or "" => false, string => true, IEnumerable list => list.Cast<object>().Any(), _ => true };

        public string DefaultText => _default switch
        {
            bool truth => truth ? "`true`" : "`false`",
            // Milliseconds, if there are any, as one would write them.
            TimeSpan time => $"`{(time.Ticks % TimeSpan.TicksPerSecond == 0 ? time.ToString("c") : time.ToString(@"hh\:mm\:ss\.fff", CultureInfo.InvariantCulture))}`",
            int or long when IsBytes => string.Create(CultureInfo.InvariantCulture, $"`{_default}` ({Size(Convert.ToInt64(_default, CultureInfo.InvariantCulture))})"),
            _ => string.Create(CultureInfo.InvariantCulture, $"`{_default}`"),
        };

        public string TypeWord => (Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType) switch
        {
            { IsEnum: true } type => string.Join(", ", Enum.GetNames(type).Select(name => $"`{name}`")),
            { Name: nameof(Boolean) } => "`true`, `false`",
            { Name: nameof(TimeSpan) } => "time",
            { Name: nameof(Int32) or nameof(Int64) } => IsBytes ? "bytes" : "whole number",
            { Name: nameof(Double) } => "number",
            _ => "text",
        };

        private bool IsBytes => Property.Name.EndsWith("Bytes", StringComparison.Ordinal);

        private bool IsKeyed => EntryOf(Property.PropertyType) is not null || Property.PropertyType.Name == "IConfigurationSection";

        private bool IsList => Property.PropertyType != typeof(string) && typeof(IEnumerable).IsAssignableFrom(Property.PropertyType);

        public string Words(string part) => ConfigurationReferenceTests.Words($"P:{Property.DeclaringType!.FullName}.{Property.Name}", part);

        /// <summary>A value at an end of a range, or so many of the smallest steps behind it.</summary>
        public KeyValuePair<string, string> At(Match range, string end, int steps)
        {
            var amount = Amount(range.Groups[end].Value);
            var type = Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;
            var value = type == typeof(TimeSpan) ? TimeSpan.FromTicks((long)amount + steps).ToString("c")
                : (amount + (type == typeof(double) ? 0.001m * steps : steps)).ToString(CultureInfo.InvariantCulture);
            return KeyValuePair.Create(SomeKey, value);
        }

        private static string Size(long bytes) => bytes >= 1 << 20 ? $"{bytes >> 20} MiB" : $"{bytes >> 10} KiB";
    }
}
