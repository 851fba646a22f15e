using BenchmarkDotNet.Attributes;
using Gateway.Store;

namespace Gateway.Benchmarks;

/// <summary>Ids: one made for each response, one formatted for each item, one read for each continuation and reference.</summary>
public class ResponseIdBenchmarks
{
    private readonly ResponseId _id = ResponseId.NewChain();
    private string _text = string.Empty;
    private string _item = string.Empty;

    [GlobalSetup]
    public void Setup()
    {
        _text = _id.ToString();
        _item = _id.ItemId("msg", 7);
    }

    [Benchmark]
    public string NewChain() => ResponseId.NewChain().Self;

    [Benchmark]
    public string Format() => _id.ToString();

    [Benchmark]
    public string FormatItem() => _id.ItemId("msg", 7);

    [Benchmark]
    public bool Parse() => ResponseId.TryParse(_text, out _);

    [Benchmark]
    public bool ParseItem() => ResponseId.TryParseItem(_item, out _, out _);
}
