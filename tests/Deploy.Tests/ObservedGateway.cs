using System.Diagnostics.Metrics;
using System.Text;
using System.Text.RegularExpressions;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Deploy.Tests;

/// <summary>A gateway that has had some traffic of each kind, with its instruments and what <c>/metrics</c> says.</summary>
public sealed partial class ObservedGateway : IAsyncLifetime
{
    private readonly HashSet<Instrument> _instruments = [];

    /// <summary>The instruments of the gateway's own meter, with their names as Prometheus spells them.</summary>
    public IReadOnlyList<(string Instrument, string Name)> Instruments { get; private set; } = [];

    /// <summary>What <c>/metrics</c> answered.</summary>
    public string Text { get; private set; } = string.Empty;

    /// <summary>The names of all series that there are, or will be once they have been measured.</summary>
    public IReadOnlySet<string> Metrics { get; private set; } = new HashSet<string>();

    /// <summary>The labels of each series that has been measured, by its name.</summary>
    public ILookup<string, string> Labels { get; private set; } = Array.Empty<string>().ToLookup(name => name);

    public async ValueTask InitializeAsync()
    {
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            lock (_instruments)
            {
                if (instrument.Meter.Name == "Gateway")
                {
                    _instruments.Add(instrument);
                }
            }
        };
        listener.Start();
        await using var upstream = await ScriptedUpstream.StartAsync();
        await using var tools = await TestMcpServer.StartAsync();
        tools.Add([TestMcpTools.Echo]);
        await using var gateway = await TestGateway.StartAsync(new TestGatewayOptions
        {
            Upstreams = new Dictionary<string, Uri> { ["main"] = upstream.Address },
            Settings = new Dictionary<string, string>
            {
                ["Gateway:Tools:AllowedHosts:0"] = "127.0.0.1",
                ["Gateway:Upstreams:main:Models:0"] = "scripted",
                ["Gateway:Upstreams:main:Priority"] = "1",
                // Preferred, and not there: the first request is tried again elsewhere.
                ["Gateway:Upstreams:gone:Address"] = "http://127.0.0.1:1/v1",
                ["Gateway:Upstreams:gone:Models:0"] = "scripted",
            },
        });
        await SendTrafficAsync(gateway, upstream, tools);
        Text = await gateway.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        lock (_instruments)
        {
            Instruments = [.. _instruments.Select(instrument => (instrument.Name, Spell(instrument))).Distinct()];
        }

        Metrics = Series().Matches(Text).Select(match => match.Groups["name"].Value)
            .Concat(Instruments.SelectMany(instrument => (string[])[instrument.Name, instrument.Name + "_bucket", instrument.Name + "_sum", instrument.Name + "_count"]))
            .ToHashSet();
        Labels = Series().Matches(Text).SelectMany(series => Label().Matches(series.Value).Select(label => (Name: series.Groups["name"].Value, Label: label.Groups["label"].Value)))
            .Distinct().ToLookup(pair => pair.Name, pair => pair.Label);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async Task SendTrafficAsync(TestGateway gateway, ScriptedUpstream upstream, TestMcpServer tools)
    {
        var id = await CreateAsync(gateway, "\"input\":\"Hello\"");
        await CreateAsync(gateway, $"\"input\":\"And then?\",\"previous_response_id\":\"{id}\",\"stream\":true");
        await CreateAsync(gateway, "\"input\":\"x\",\"temperature\":9");
        await CreateAsync(gateway, "\"input\":\"x\",\"background\":true,\"stream\":true");
        var tool = $"\"input\":\"x\",\"tools\":[{{\"type\":\"mcp\",\"server_label\":\"srv\",\"server_url\":\"{tools.Endpoint}\",\"require_approval\":\"never\"}}],\"max_tool_calls\":1";
        upstream.Enqueue(ChatAnswer.Call(new ChatToolCall("call_a", "srv__echo", """{"message":"x"}"""), new ChatToolCall("call_b", "srv__echo", """{"message":"y"}""")));
        await CreateAsync(gateway, tool);
        // A host that no request may name, and a server that is not there.
        await CreateAsync(gateway, tool.Replace("127.0.0.1", "10.0.0.1", StringComparison.Ordinal));
        await CreateAsync(gateway, tool.Replace(tools.Endpoint.ToString(), "http://127.0.0.1:1/mcp", StringComparison.Ordinal));
    }

    private static async Task<string> CreateAsync(TestGateway gateway, string members)
    {
        using var content = new StringContent($"{{\"model\":\"scripted\",{members}}}", Encoding.UTF8, "application/json");
        using var response = await gateway.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, TestContext.Current.CancellationToken);
        return ResponseId().Match(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Value;
    }

    /// <summary>A name as the exporter spells it: dots are underscores, the unit is a word at the end, counters end in <c>_total</c>.</summary>
    private static string Spell(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_');
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => string.Empty };
        var kind = instrument.GetType();
        return name + unit + (kind.IsGenericType && kind.GetGenericTypeDefinition() == typeof(Counter<>) ? "_total" : string.Empty);
    }

    [GeneratedRegex("resp_[A-Za-z0-9]+")]
    private static partial Regex ResponseId();

    [GeneratedRegex(@"(?m)^(?<name>[a-z]\w*)(\{.*\})? ")]
    private static partial Regex Series();

    [GeneratedRegex(@"[{,](?<label>\w+)=""")]
    private static partial Regex Label();
}
