using System.Text;
using Gateway.Store;
using Gateway.Testing.Redis;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Store;

/// <summary>A list that is read to its end, as a client reads it. <c>bench/load</c> does the same with a million responses.</summary>
public sealed class DeepListTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int Count = 20_000;
    private const int AtOnce = 500;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task List_TwentyThousandResponses_GivesEachOnceInOrder(bool inRedis)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { Redis = inRedis ? Own(await RedisProcess.StartAsync()).EndPoint : null });
        var expected = await FillAsync();

        var seen = new List<string>(Count);
        for (var hasMore = true; hasMore;)
        {
            var page = (await GetAsync("/v1/responses?limit=100" + (seen.Count == 0 ? "" : "&after=" + seen[^1]))).AssertOk();
            seen.AddRange(page.Each("data").Select(response => response.Text("id")!));
            hasMore = page.At("has_more").GetBoolean();
        }

        Assert.Equal(expected, seen);
    }

    /// <summary>Copies of a response that was really made, three to a millisecond and over forty days. Their ids, newest first.</summary>
    private async Task<List<string>> FillAsync()
    {
        var store = Gateway.Services.GetRequiredService<IResponseStore>();
        Assert.True(ResponseId.TryParse((await CreateAsync("""{"input":"Hi"}""")).Text("id"), out var id));
        var made = Assert.IsType<StoredResponse>(await store.GetAsync("default", id, Cancellation));
        var commits = Enumerable.Range(1, Count - 1).Select(n => Copy(n)).ToArray();
        foreach (var batch in commits.Chunk(AtOnce))
        {
            await Task.WhenAll(batch.Select(commit => store.CommitAsync(commit, Cancellation).AsTask()));
        }

        return
        [
            id.ToString(),
            .. commits.OrderByDescending(commit => commit.CreatedAt).ThenByDescending(commit => commit.Id.ToString(), StringComparer.Ordinal).Select(commit => commit.Id.ToString()),
        ];

        TurnCommit Copy(int n)
        {
            var copy = ResponseId.NewChain();
            return new TurnCommit
            {
                Tenant = "default",
                Id = copy,
                ParentPath = [],
                Status = made.Record.Status,
                CreatedAt = made.Record.CreatedAt.AddMilliseconds(-1 - n / 3 * (40 * 86_400_000L / (Count / 3))),
                Turn = made.Turn,
                Envelope = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(made.Record.Envelope.Span).Replace(id.ToString(), copy.ToString(), StringComparison.Ordinal)),
                OutputOffset = made.Record.OutputOffset,
                Retention = TimeSpan.FromDays(1),
            };
        }
    }
}
