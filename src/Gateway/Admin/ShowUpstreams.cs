using System.Text.Json;
using Gateway.Policy;
using Gateway.Upstream;
using Gateway.Upstream.Probing;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Gateway.Admin;

/// <summary>
/// <c>GET /admin/upstreams</c>: every upstream with what it turned out to be, how it is spoken to, which models it serves, and how its
/// destinations are, all as this replica sees it.
/// </summary>
internal sealed class ShowUpstreams(
    TenantDirectory tenants, UpstreamRegistry registry, RouteTable routes, IProxyStateLookup clusters, DestinationPicker picker, UpstreamMetrics metrics,
    IOptions<ProbingOptions> probing, TimeProvider time, ILogger<ShowUpstreams> logger) : AdminView(tenants, logger)
{
    protected override void Write(Utf8JsonWriter json)
    {
        // Several upstreams may serve a model; a reload may take it away between the two questions.
        var models = routes.List()
            .SelectMany(model => (routes.Find(model.Id)?.All ?? []).Select(route => (route.Upstream, model.Id)))
            .ToLookup(static model => model.Upstream, static model => model.Id, StringComparer.OrdinalIgnoreCase);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var upstream in registry.All)
        {
            json.WriteStartObject();
            json.WriteString("object", "upstream");
            json.WriteString("name", upstream.Name);
            json.WriteNumber("priority", upstream.Priority);
            json.WriteNumber("weight", upstream.Weight);
            json.WritePropertyName("max_concurrent_requests");
            if (upstream.MaxConcurrentRequests is { } most)
            {
                json.WriteNumberValue(most);
            }
            else
            {
                json.WriteNullValue();
            }

            WriteProfile(json, upstream);
            WriteProbe(json, upstream);
            json.WriteStartArray("models");
            foreach (var model in models[upstream.Name])
            {
                json.WriteStringValue(model);
            }

            json.WriteEndArray();
            WriteLoad(json, upstream);
            WriteDestinations(json, upstream);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The profile in force: its name, and the keys whose values are words or truth values; free text could be anything.</summary>
    private static void WriteProfile(Utf8JsonWriter json, ConfiguredUpstream upstream)
    {
        json.WriteStartObject("profile");
        json.WriteString("name", upstream.Profile.Name);
        json.WriteBoolean("auto", upstream.IsAuto);
        json.WriteStartObject("settings");
        foreach (var (key, value) in ProfileTable.Settings(upstream.Profile))
        {
            json.WritePropertyName(key);
            value.WriteTo(json);
        }

        json.WriteEndObject();
        json.WriteStartArray("configured");
        foreach (var (key, _) in upstream.Overrides)
        {
            json.WriteStringValue(key);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteProbe(Utf8JsonWriter json, ConfiguredUpstream upstream)
    {
        if (!upstream.IsAuto || !probing.Value.Enabled)
        {
            json.WriteNull("probe");
            return;
        }

        var probe = upstream.Probe;
        json.WriteStartObject("probe");
        json.WriteString("status", probe.Status switch
        {
            ProbeStatus.Complete => "complete",
            ProbeStatus.Incomplete => "incomplete",
            _ => "pending",
        });
        json.WriteString("reason", probe.Reason);
        if (probe.At is { } at)
        {
            json.WriteNumber("asked_at", at.ToUnixTimeSeconds());
        }

        json.WriteString("kind", probe.Kind?.Profile);
        json.WriteString("version", probe.Kind?.Version);
        json.WriteString("model", probe.Model);
        json.WriteNumber("calls", probe.Calls);
        json.WriteStartObject("capabilities");
        foreach (var (name, value) in probe.Capabilities)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WritePropertyName("learned");
        probe.Learned.WriteTo(json);
        json.WriteEndObject();
    }

    private void WriteLoad(Utf8JsonWriter json, ConfiguredUpstream upstream)
    {
        json.WriteStartObject("load");
        json.WriteNumber("queued", metrics.QueuedAt(upstream.Name));
        json.WriteNumber("max_queued", upstream.MaxQueued);
        json.WriteEndObject();
    }

    private void WriteDestinations(Utf8JsonWriter json, ConfiguredUpstream upstream)
    {
        json.WriteStartArray("destinations");
        if (clusters.TryGetCluster(upstream.Name, out var cluster))
        {
            foreach (var destination in cluster.DestinationsState.AllDestinations)
            {
                var stats = picker.Stats(upstream.Name, destination);
                json.WriteStartObject();
                json.WriteString("address", destination.Model.Config.Address);
                json.WriteString("host", destination.Model.Config.Host);
                json.WriteString("health", Word(upstream.Health is null ? DestinationHealth.Unknown : destination.Health.Active));
                json.WriteBoolean("available", cluster.DestinationsState.AvailableDestinations.Contains(destination));
                json.WriteNumber("in_flight", stats.InFlight);
                json.WriteNumber("failures", stats.Failures);
                json.WriteNumber("ejections", stats.Ejections);
                json.WriteNumber("left_alone_seconds", SecondsUntil(stats.OutUntil));
                json.WriteNumber("spared_seconds", SecondsUntil(stats.RestUntil));
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
    }

    private long SecondsUntil(long timestamp)
    {
        var now = time.GetTimestamp();
        return timestamp > now ? (long)Math.Ceiling(time.GetElapsedTime(now, timestamp).TotalSeconds) : 0;
    }

    private static string Word(DestinationHealth health) => health switch
    {
        DestinationHealth.Healthy => "healthy",
        DestinationHealth.Unhealthy => "unhealthy",
        _ => "unknown",
    };
}
