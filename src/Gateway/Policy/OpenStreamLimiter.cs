using Gateway.Protocol.Responses;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Policy;

/// <summary>Bounds the responses being made at once, passed-through answers included, for the process and for each tenant. Nothing queues here: who does not fit is told when to retry.</summary>
internal sealed class OpenStreamLimiter(IOptions<LimitsOptions> limits, GatewayMetrics metrics)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly int _most = limits.Value.OpenStreams;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _byTenant = new(StringComparer.Ordinal);
    private int _open;

    /// <summary>Responses being made now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Takes a place for one response.</summary>
    /// <param name="tenant">Whose response it is.</param>
    /// <param name="slot">The place, to be disposed when the response is over; null when there was none.</param>
    /// <returns>The error, or null when a place was taken.</returns>
    public ApiError? TryEnter(Tenant tenant, out IDisposable? slot)
    {
        slot = null;
        lock (_lock)
        {
            if (_open >= _most)
            {
                return ApiError.RateLimited("Too many responses are being made by this gateway.", RetryAfter);
            }

            var ofTenant = _byTenant.GetValueOrDefault(tenant.Name);
            if (ofTenant >= tenant.Policy.OpenStreams)
            {
                return ApiError.RateLimited("Too many responses are being made for this API key's tenant.", RetryAfter);
            }

            _open++;
            _byTenant[tenant.Name] = ofTenant + 1;
        }

        metrics.StreamOpened();
        slot = new Slot(this, tenant.Name);
        return null;
    }

    private void Leave(string tenant)
    {
        lock (_lock)
        {
            _open--;
            // Only tenants with open responses are kept, so that the map stays as small as the limit.
            if (_byTenant[tenant] == 1)
            {
                _byTenant.Remove(tenant);
            }
            else
            {
                _byTenant[tenant]--;
            }
        }

        metrics.StreamClosed();
    }

    private sealed class Slot(OpenStreamLimiter limiter, string tenant) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                limiter.Leave(tenant);
            }
        }
    }
}
