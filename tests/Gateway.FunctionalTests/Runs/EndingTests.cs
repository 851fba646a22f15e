using Gateway.Store;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Runs;

/// <summary>A response that ends just between the look into the store of responses and the one into that of runs is there all the same.</summary>
public sealed class EndingTests(GatewayFixture fixture) : RunTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("")]
    [InlineData("?stream=true")]
    [InlineData("/input_items")]
    [InlineData("/cancel")]
    [InlineData("previous_response_id")]
    public async Task Response_EndsBetweenTheLooks_IsFound(string what)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with { ConfigureServices = Decorate });
        var runs = (LateRunStore)Gateway.Services.GetRequiredService<IRunStore>();
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);
        Assert.True(ResponseId.TryParse(id, out var responseId));
        var responses = Gateway.Services.GetRequiredService<IResponseStore>();
        runs.BeforeGet = async () =>
        {
            script.Hold.Release();
            using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
            while (await responses.GetAsync("default", responseId, Cancellation) is null)
            {
                await polls.WaitForNextTickAsync(Cancellation);
            }
        };

        var reply = what switch
        {
            "previous_response_id" => await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}""")),
            "/cancel" => await CancelAsync(id),
            _ => await GetAsync($"/v1/responses/{id}{what}"),
        };

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(what is "" or "/cancel" ? "completed" : null, what is "" or "/cancel" ? reply.Json.Text("status") : null);
    }

    private static void Decorate(IServiceCollection services)
    {
        var own = services.Last(service => service.ServiceType == typeof(IRunStore));
        services.AddSingleton<IRunStore>(provider => new LateRunStore((IRunStore)own.ImplementationFactory!(provider)));
    }
}
