using Gateway.Policy;
using Gateway.Protocol.Responses;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>Bounds the clients that follow runs on this replica, of all tenants and of each.</summary>
internal sealed class FollowerPlaces(IOptions<RunOptions> options, RunMetrics metrics)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _byTenant = new(StringComparer.Ordinal);
    private int _all;

    /// <summary>Takes a place among those who follow, to be disposed when its client is gone. The error when there is none.</summary>
    public ApiError? TryEnter(Tenant tenant, out IDisposable? place)
    {
        place = null;
        var most = options.Value.Followers;
        lock (_lock)
        {
            if (_all >= most)
            {
                return ApiError.RateLimited("Too many streams are being followed on this gateway.", RetryAfter);
            }

            var ofTenant = _byTenant.GetValueOrDefault(tenant.Name);
            if (ofTenant >= (tenant.Policy.Followers ?? Math.Max(1, most / 2)))
            {
                return ApiError.RateLimited("Too many streams are being followed for this API key's tenant.", RetryAfter);
            }

            _all++;
            _byTenant[tenant.Name] = ofTenant + 1;
        }

        metrics.FollowerCame();
        place = new Place(this, tenant.Name);
        return null;
    }

    private void Leave(string tenant)
    {
        lock (_lock)
        {
            _all--;
            if (--_byTenant[tenant] == 0)
            {
                _byTenant.Remove(tenant);
            }
        }

        metrics.FollowerLeft();
    }

    private sealed class Place(FollowerPlaces places, string tenant) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                places.Leave(tenant);
            }
        }
    }
}
