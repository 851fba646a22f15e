using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Order;

namespace Gateway.Benchmarks;

/// <summary>
/// What every benchmark here reports: time, its median, and allocated bytes (the delta path's limit is none). It names no job, so that
/// <c>--job short</c> replaces the default job rather than adding a second one.
/// </summary>
internal sealed class HotPathConfig : ManualConfig
{
    public HotPathConfig()
    {
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(StatisticColumn.Median);
        AddDiagnoser(MemoryDiagnoser.Default);
        AddExporter(MarkdownExporter.GitHub, JsonExporter.Brief);
        AddLogger(ConsoleLogger.Default);
        Orderer = new DefaultOrderer(SummaryOrderPolicy.Declared);
    }
}
