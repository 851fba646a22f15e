using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ToolNamesTests
{
    [Theory]
    [InlineData(31, 31, false)] // 64 with the separator
    [InlineData(31, 32, true)]
    [InlineData(62, 1, true)]
    [InlineData(1, 61, false)]
    [InlineData(64, 64, true)]
    public void Flatten_AtTheLimit_IsHashedOnlyBeyondIt(int nsLength, int nameLength, bool hashed)
    {
        var (ns, name) = (new string('n', nsLength), new string('t', nameLength));

        var flat = ToolNames.Flatten(ns, name);

        Assert.Equal(hashed, flat != $"{ns}__{name}");
        Assert.Matches(hashed ? "^[A-Za-z0-9_-]{55}_[0-9a-f]{8}$" : "^[A-Za-z0-9_-]{1,64}$", flat);
    }

    [Theory]
    [InlineData("my.server", "t", "my_server__t_")]
    [InlineData("é😀", "t", "_____t_")]
    [InlineData("n\n", "t", "n___t_")]
    public void Flatten_OtherCharacters_AreReplacedAndHashed(string ns, string name, string start)
    {
        var flat = ToolNames.Flatten(ns, name);

        Assert.StartsWith(start, flat, StringComparison.Ordinal);
        Assert.Equal(start.Length + 8, flat.Length);
    }

    [Fact]
    public void Flatten_NamesAlikeAfterReplacement_StayApart() =>
        Assert.Distinct([ToolNames.Flatten("a.b", "c"), ToolNames.Flatten("a_b", "c"), ToolNames.Flatten("a b", "c"), ToolNames.Flatten("a.b", "c.")]);

    [Fact]
    public void Flatten_NameThatIsTaken_GivesAFreeLegalOneThatIsAlwaysTheSame()
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        Assert.Equal("a__b__c", Flat("a", "b__c"));
        Assert.Matches("^a__b__c_[0-9a-f]{8}$", Flat("a__b", "c"));
        Assert.Matches("^a__b__c_[0-9a-f]{8}$", Flat("a", "b__c"));
        Assert.Matches("^n{55}_[0-9a-f]{8}$", Flat(new string('n', 70), "t"));
        Assert.Matches("^n{55}_[0-9a-f]{8}$", Flat(new string('n', 70), "t"));

        Assert.Equal(5, taken.Count);
        Assert.All(taken, name => Assert.Null(ToolNames.Check(name, "name")));
        Assert.Equal(taken.ElementAt(1), ToolNames.Flatten("a__b", "c", new HashSet<string> { "a__b__c" }));

        string Flat(string ns, string name)
        {
            var flat = ToolNames.Flatten(ns, name, taken);
            Assert.True(taken.Add(flat));
            return flat;
        }
    }

    [Property(MaxTest = 1000)]
    public void Flatten_AnyNames_AreLegalAndAlwaysTheSame(NonNull<string> ns, NonNull<string> name)
    {
        var flat = ToolNames.Flatten(ns.Get, name.Get);

        Assert.Null(ToolNames.Check(flat, "name"));
        Assert.Equal(flat, ToolNames.Flatten(ns.Get, name.Get));
    }

    [Property(MaxTest = 300)]
    public Property Find_FlattenedName_SplitsBackToNamespaceAndName()
    {
        var name = Gen.Choose(1, 64).SelectMany(length => Gen.Elements([.. "abXYZ09_-"]).ArrayOf(length)).Select(chars => new string(chars));
        return Prop.ForAll(name.Zip(name).ToArbitrary(), names =>
        {
            var (ns, inner) = names;
            var request = Requests.Parse(Requests.With(
                $$"""
                "tools":[{"type":"function","name":"other"},{"type":"namespace","name":"{{ns}}","tools":[{"type":"function","name":"{{inner}}"},{"type":"custom","name":"~"}]}]
                """.Replace("\"~\"", inner == "c" ? "\"d\"" : "\"c\"", StringComparison.Ordinal)));

            var tool = ToolNames.Find(request.Tools, ToolNames.Flatten(ns, inner));

            Assert.NotNull(tool);
            Assert.Equal((ns, inner), (tool.Namespace, tool.Name));
            Assert.Same(tool, ToolNames.Find(request.Tools, "functions." + tool.UpstreamName));
        });
    }

    [Fact]
    public void Find_NameThatBeginsWithFunctions_IsFoundExactlyFirst()
    {
        Tool[] tools =
        [
            new() { Kind = ToolKind.Function, Name = "a", UpstreamName = "a" },
            new() { Kind = ToolKind.Function, Name = "functions.a", UpstreamName = "functions.a" },
        ];

        Assert.Same(tools[1], ToolNames.Find(tools, "functions.a"));
        Assert.Same(tools[0], ToolNames.Find(tools, "A"));
        Assert.Null(ToolNames.Find([], "a"));
    }

    [Fact]
    public void FromEcho_OfARequest_GivesItsTools()
    {
        var request = Requests.Parse(Requests.With(
            """
            "tools":[{"type":"function","name":"f"},{"type":"namespace","name":"n","tools":[{"type":"custom","name":"g"}]},{"type":"web_search"}]
            """));

        Assert.Equal(
            request.Tools.Select(t => (t.Kind, t.Name, t.Namespace, t.UpstreamName)),
            ToolNames.FromEcho(request.ToolsJson).Select(t => (t.Kind, t.Name, t.Namespace, t.UpstreamName)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""[{"type":"magic"}]""")]
    public void FromEcho_NoToolArray_GivesNone(string json) => Assert.Empty(ToolNames.FromEcho(Encoding.UTF8.GetBytes(json)));
}
