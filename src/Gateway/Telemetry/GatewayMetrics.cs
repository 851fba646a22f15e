using System.Diagnostics.Metrics;

namespace Gateway.Telemetry;

/// <summary>
/// The instruments of the meter <c>Gateway</c> that tell how requests go (docs/design/telemetry.md lists them). A feature with instruments
/// of its own keeps them in its folder, on a meter of the same name. Tags have few values: never a tenant, a model, an id or a text.
/// </summary>
internal sealed class GatewayMetrics
{
    // The bounds that the conventions advise for durations of generative AI requests, in seconds.
    private static readonly InstrumentAdvice<double> RequestSeconds = new()
    {
        HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    };

    private static readonly InstrumentAdvice<double> StoreSeconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048],
    };

    private static readonly InstrumentAdvice<int> Turns = new()
    {
        HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096],
    };

    private readonly Counter<long> _responses;
    private readonly Counter<long> _errors;
    private readonly Counter<long> _tokens;
    private readonly Histogram<double> _requestDuration;
    private readonly Histogram<double> _timeToFirstChunk;
    private readonly Histogram<double> _chainLoadDuration;
    private readonly Histogram<int> _chainLength;
    private readonly UpDownCounter<long> _openStreams;
    private readonly Counter<long> _egressRefusals;

    public GatewayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryNames.Gateway);
        _responses = meter.CreateCounter<long>("gateway.responses", "{response}", "Responses that reached a terminal status.");
        _errors = meter.CreateCounter<long>("gateway.errors", "{error}", "Errors told to clients, by code.");
        _tokens = meter.CreateCounter<long>("gateway.tokens", "{token}", "Tokens reported by upstreams; cached is part of input, reasoning part of output.");
        _requestDuration = meter.CreateHistogram("gen_ai.server.request.duration", "s", "From the request's arrival to the last byte of its response.", advice: RequestSeconds);
        _timeToFirstChunk = meter.CreateHistogram("gen_ai.client.operation.time_to_first_chunk", "s", "From the upstream call to the first meaningful chunk of its answer.", advice: RequestSeconds);
        _chainLoadDuration = meter.CreateHistogram("gateway.chain.load.duration", "s", "Loading a chain from the store.", advice: StoreSeconds);
        _chainLength = meter.CreateHistogram("gateway.chain.length", "{turn}", "Turns of a loaded chain.", advice: Turns);
        _openStreams = meter.CreateUpDownCounter<long>("gateway.open_streams", "{stream}", "Responses that are being made now, passed-through answers included.");
        _egressRefusals = meter.CreateCounter<long>("gateway.egress.refusals", "{refusal}", "Requests to hosts named by clients that the egress guard refused, by reason.");
    }

    /// <summary>A response reached its terminal status.</summary>
    /// <param name="dialect">The dialect's name.</param>
    /// <param name="status">completed, incomplete, failed or cancelled.</param>
    /// <param name="stream">It went to the client as events.</param>
    /// <param name="duration">Since the request's arrival.</param>
    public void ResponseFinished(string dialect, string status, bool stream, TimeSpan duration)
    {
        var dialectTag = new KeyValuePair<string, object?>(TelemetryNames.Dialect, dialect);
        var statusTag = new KeyValuePair<string, object?>(TelemetryNames.ResponseStatus, status);
        // A string, since a boolean would be boxed for each call.
        var streamTag = new KeyValuePair<string, object?>(TelemetryNames.Stream, stream ? "true" : "false");
        if (_responses.Enabled)
        {
            _responses.Add(1, dialectTag, statusTag, streamTag);
        }

        if (_requestDuration.Enabled)
        {
            _requestDuration.Record(duration.TotalSeconds, dialectTag, statusTag, streamTag);
        }
    }

    /// <summary>The first meaningful chunk of an upstream's answer arrived.</summary>
    public void FirstChunkArrived(string upstream, bool stream, TimeSpan sinceCall)
    {
        if (_timeToFirstChunk.Enabled)
        {
            _timeToFirstChunk.Record(
                sinceCall.TotalSeconds,
                new KeyValuePair<string, object?>(TelemetryNames.Upstream, upstream),
                new KeyValuePair<string, object?>(TelemetryNames.Stream, stream ? "true" : "false"));
        }
    }

    /// <summary>An upstream reported its usage. Cached tokens are a part of the input, reasoning tokens of the output.</summary>
    public void TokensUsed(long input, long cached, long output, long reasoning)
    {
        if (_tokens.Enabled)
        {
            AddTokens("input", input);
            AddTokens("cached", cached);
            AddTokens("output", output);
            AddTokens("reasoning", reasoning);
        }
    }

    /// <summary>A chain was loaded.</summary>
    public void ChainLoaded(int turns, TimeSpan duration)
    {
        if (_chainLength.Enabled)
        {
            _chainLength.Record(turns);
        }

        if (_chainLoadDuration.Enabled)
        {
            _chainLoadDuration.Record(duration.TotalSeconds);
        }
    }

    /// <summary>Says that there is none: autoscalers take a metric that is missing for one that is unknown.</summary>
    public void NoStreamSoFar() => _openStreams.Add(0);

    public void StreamOpened() => _openStreams.Add(1);

    public void StreamClosed() => _openStreams.Add(-1);

    /// <summary>A client was told an error, in a body or in a terminal event.</summary>
    /// <param name="status">The HTTP status of the error.</param>
    /// <param name="code">The catalogue's code; null where it has none.</param>
    public void ErrorTold(int status, string? code)
    {
        if (_errors.Enabled)
        {
            _errors.Add(
                1,
                new KeyValuePair<string, object?>(TelemetryNames.ErrorType, code ?? "none"),
                new KeyValuePair<string, object?>("http.response.status_class", StatusClass(status)));
        }
    }

    /// <summary>The egress guard refused a URL, a redirect, a connection or an answer.</summary>
    /// <param name="reason">Why, one of few words.</param>
    public void EgressRefused(string reason) => _egressRefusals.Add(1, new KeyValuePair<string, object?>(TelemetryNames.RefusalReason, reason));

    private static string StatusClass(int status) => status >= 500 ? "5xx" : "4xx";

    private void AddTokens(string kind, long count)
    {
        if (count > 0)
        {
            _tokens.Add(count, new KeyValuePair<string, object?>(TelemetryNames.TokenType, kind));
        }
    }
}
