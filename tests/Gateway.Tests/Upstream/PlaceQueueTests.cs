using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

/// <summary>Calls that wait while every destination works on as many as it may.</summary>
public sealed class PlaceQueueTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Enter_PlacesComeFree_GoToThoseThatWaitedLongest()
    {
        await using var host = await StartAsync();
        var held = await EnterAsync(host);
        var waiting = Enumerable.Range(0, 3).Select(_ => EnterAsync(host).AsTask()).ToList();

        for (var i = 0; i < 3; i++)
        {
            Assert.All(waiting.Skip(i), w => Assert.False(w.IsCompleted));
            host.Get<DestinationPicker>().Leave(held);
            held = await waiting[i].WaitAsync(TimeSpan.FromSeconds(5));
            Assert.True(held.IsTaken);
        }

        Assert.Equal(1, held.Stats!.InFlight);
    }

    [Fact]
    public async Task Enter_TenantsTakeTurns()
    {
        await using var host = await StartAsync();
        var held = await EnterAsync(host);
        var order = new List<string>();
        var waiting = new List<Task>();
        foreach (var tenant in (string[])["a", "a", "a", "b", "c", "b"])
        {
            waiting.Add(WaitAsync(tenant, EnterAsync(host, tenant).AsTask()));
        }

        host.Get<DestinationPicker>().Leave(held);
        await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(["a", "b", "c", "a", "b", "a"], order);

        async Task WaitAsync(string tenant, Task<Place> entering)
        {
            var place = await entering;
            lock (order)
            {
                order.Add(tenant);
            }

            host.Get<DestinationPicker>().Leave(place);
        }
    }

    [Fact]
    public async Task Enter_QueueIsFull_IsRefusedAtOnce()
    {
        await using var host = await StartAsync(("MaxQueued", "2"));
        var held = await EnterAsync(host);
        var waiting = Enumerable.Range(0, 2).Select(_ => EnterAsync(host).AsTask()).ToList();

        Assert.Equal(NoPlace.QueueFull, (await EnterAsync(host)).Missing);
        host.Get<DestinationPicker>().Leave(held);

        Assert.True((await waiting[0]).IsTaken);
        Assert.False(waiting[1].IsCompleted);
    }

    [Fact]
    public async Task Enter_NoPlaceInTime_IsRefusedThen()
    {
        await using var host = await StartAsync(("QueueTimeout", "00:00:07"));
        var held = await EnterAsync(host);
        var waiting = EnterAsync(host).AsTask();

        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(NoPlace.QueueTimeout, (await waiting.WaitAsync(TimeSpan.FromSeconds(5))).Missing);
        host.Get<DestinationPicker>().Leave(held);
        Assert.True((await EnterAsync(host)).IsTaken);
    }

    [Fact]
    public async Task Enter_ClientLeaves_IsTakenOutOfTheQueue()
    {
        await using var host = await StartAsync(("MaxQueued", "1"));
        var held = await EnterAsync(host);
        using var leaves = new CancellationTokenSource();
        var gone = EnterAsync(host, cancellationToken: leaves.Token).AsTask();

        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        var next = EnterAsync(host).AsTask();
        Assert.False(next.IsCompleted);
        host.Get<DestinationPicker>().Leave(held);

        Assert.True((await next.WaitAsync(TimeSpan.FromSeconds(5))).IsTaken);
    }

    [Fact]
    public async Task Enter_LimitIsRaised_ThoseThatWaitAreLetIn()
    {
        await using var host = await StartAsync();
        var held = await EnterAsync(host);
        var waiting = EnterAsync(host).AsTask();

        host.Reload(("Gateway:Upstreams:main:MaxConcurrentRequests", "2"));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.True((await waiting.WaitAsync(TimeSpan.FromSeconds(5))).IsTaken);
        Assert.Equal(2, held.Stats!.InFlight);
    }

    [Fact]
    public async Task Send_AllFull_WaitsAndGetsItsAnswerWhenTheReplyBeforeIsDisposed()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await StartAsync(server.Address);

        var first = await host.SendAsync();
        var second = host.SendAsync().AsTask();
        var passed = host.Client.PostAsync("/v1/embeddings", new StringContent("""{"model":"m"}"""));
        Assert.False(second.IsCompleted);
        await first.DisposeAsync();
        await using (var reply = await second.WaitAsync(TimeSpan.FromSeconds(5)))
        {
            Assert.Equal(UpstreamFailure.None, reply.Failure);
            Assert.False(passed.IsCompleted);
        }

        using var response = await passed.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.True(response.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Send_AllFullForTooLong_IsOverloadedWithRetryAfter()
    {
        await using var host = await StartAsync();
        var held = await EnterAsync(host);
        var sending = host.SendAsync().AsTask();

        _time.Advance(TimeSpan.FromSeconds(30));
        await using var reply = await sending.WaitAsync(TimeSpan.FromSeconds(5));

        Assert.Equal((503, "upstream_overloaded"), (reply.Error!.Status, reply.Error.Code));
        Assert.NotNull(reply.Error.RetryAfter);
        host.Get<DestinationPicker>().Leave(held);
    }

    [Fact]
    public async Task Send_FirstTierIsFull_TheNextIsAskedWithoutWaiting()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await StartAsync(
            ("MaxConcurrentRequests", "1"), ("../next/Address", server.Address), ("../next/Models:0", "m"), ("../next/Priority", "1"));
        var held = await EnterAsync(host);
        Assert.Equal("main", held.Stats!.Upstream);

        await using var reply = await host.SendAsync();

        Assert.Equal(UpstreamFailure.None, reply.Failure);
        Assert.Single(server.Requests);
    }

    private static ValueTask<Place> EnterAsync(UpstreamHost host, string tenant = "t", CancellationToken cancellationToken = default) =>
        host.Get<PlaceQueue>().EnterAsync(host.Call(tenant: tenant), again: false, mayWait: true, cancellationToken);

    private Task<UpstreamHost> StartAsync(params (string Key, string Value)[] more) => StartAsync(UpstreamHost.Refusing(), more);

    private Task<UpstreamHost> StartAsync(string address, params (string Key, string Value)[] more)
    {
        var settings = UpstreamHost.Settings(address);
        settings["Gateway:Upstreams:main:MaxConcurrentRequests"] = "1";
        foreach (var (key, value) in more)
        {
            var path = key.StartsWith("../", StringComparison.Ordinal) ? key[3..].Replace('/', ':') : $"main:{key}";
            settings[$"Gateway:Upstreams:{path}"] = value;
        }

        return UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(_time));
    }
}
