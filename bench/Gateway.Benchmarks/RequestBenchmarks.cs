using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Benchmarks;

/// <summary>A request's body becoming the upstream's request: parse, validate, render.</summary>
public class RequestBenchmarks : IDisposable
{
    private readonly PooledBuffer _output = new(64 * 1024);
    private byte[] _body = [];

    /// <summary>Turns of conversation in <c>input</c>.</summary>
    [Params(1, 100)]
    public int Turns { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var input = new StringBuilder();
        for (var i = 0; i < Turns; i++)
        {
            input.Append(i == 0 ? string.Empty : ",")
                .Append("""{"role":"user","content":"What is the weather in Oslo, and should I take an umbrella with me today?"},""")
                .Append("""{"role":"assistant","content":[{"type":"output_text","text":"It rains in Oslo. Take one.","annotations":[]}]}""");
        }

        _body = Encoding.UTF8.GetBytes(
            $$$"""{"model":"m","instructions":"Be brief.","input":[{{{input}}}],"temperature":0.5,"tools":[{"type":"function","name":"get_weather","description":"Weather","parameters":{"type":"object","properties":{"city":{"type":"string"} } } }]}""");
    }

    [Benchmark]
    public bool Parse() => RequestParser.Parse(_body, RequestRules.Default, out _) is null;

    [Benchmark]
    public int ParseAndRender()
    {
        RequestParser.Parse(_body, RequestRules.Default, out var request);
        _output.Clear();
        ChatRequestWriter.Write(
            new ChatRequest
            {
                Request = request!,
                Model = "m",
                Profile = RouteProfile.Generic,
                Items = request!.Input,
                Stream = true,
                ToolChoice = request.ToolChoice,
                Tools = request.Tools,
            },
            _output);
        return _output.Length;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _output.Dispose();
        GC.SuppressFinalize(this);
    }
}
