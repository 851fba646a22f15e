namespace Gateway.FunctionalTests.Responses;

/// <summary>Bodies, routes and headers at the HTTP border: whatever is sent, a typed answer comes back.</summary>
public sealed class HttpBorderTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{\"model\":")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\"} trailing")]
    public async Task Body_ThatIsNotJson_IsA400WithoutCode(string body) => (await PostAsync(body)).AssertError(400, null, null);

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("{\"model\":7,\"input\":\"Hi\"}")]
    [InlineData("{\"model\":\"scripted\",\"input\":{}}")]
    [InlineData("{\"model\":\"scripted\",\"input\":[7]}")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\",\"tools\":{}}")]
    [InlineData("{\"model\":\"scripted\",\"input\":\"Hi\",\"input\":\"Ho\"}")]
    [InlineData("{\"model\":\"scripted\"}")]
    public async Task Body_OfTheWrongShape_IsA400(string body) => Assert.Equal(400, (int)(await PostAsync(body)).Status);

    [Theory]
    [InlineData("/")]
    [InlineData("/responses")]
    [InlineData("/chat/completions")]
    public async Task Path_OfNoRoute_IsAnUnknownUrl(string path)
    {
        (await GetAsync(path)).AssertError(404, "unknown_url", null);
        (await SendAsync(HttpMethod.Post, path, "{}")).AssertError(404, "unknown_url", null);
    }

    [Fact]
    public async Task Body_DeeplyNested_IsA400()
    {
        var nested = new string('[', 100_000) + new string(']', 100_000);

        Assert.Equal(400, (int)(await PostAsync($$"""{"model":"scripted","input":"Hi","metadata":{{nested}}}""")).Status);
    }

    [Fact]
    public async Task Body_InvalidUtf8_IsA400()
    {
        using var content = new ByteArrayContent([.. "{\"model\":\"scripted\",\"input\":\""u8, 0xFF, 0xC0, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");

        using var response = await Gateway.Client.PostAsync("/v1/responses", content, Cancellation);

        (await Reply.ReadAsync(response)).AssertError(400, null, null);
    }

    [Fact]
    public async Task Body_OverTheLimit_IsA413()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:RequestBodyBytes", "100000"));

        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 200_000)}}"}"""));

        reply.AssertError(413, "request_too_large", null);
    }

    [Fact]
    public async Task Body_Of20Megabytes_IsAnsweredWithinItsLimits()
    {
        var reply = await PostAsync(WithModel($$"""{"input":"{{new string('x', 20_000_000)}}"}"""));

        reply.AssertError(400, "string_above_max_length", "input");
    }

    [Fact]
    public async Task References_ThatCarryMoreThanAnId_CountAsTheyAreStored()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:ContextBytes", "65536"));

        var reply = await PostAsync(WithModel(
            $$"""{"input":[{"role":"user","id":"msg_1","content":"Hi"},{"type":"item_reference","id":"msg_1","note":"{{new string('x', 65_536)}}"}]}"""));

        reply.AssertError(400, "context_length_exceeded", "input");
    }

    [Fact]
    public async Task References_ThatMultiplyAnItem_AreA400()
    {
        var references = string.Join(',', Enumerable.Repeat("""{"type":"item_reference","id":"msg_big"}""", 10_000));

        var reply = await PostAsync(WithModel($$"""{"input":[{"role":"user","id":"msg_big","content":"{{new string('x', 10_000)}}"},{{references}}]}"""));

        reply.AssertError(400, "context_length_exceeded", "input");
        Assert.Empty(Upstream.Calls);
    }

    [Theory]
    [InlineData("PUT", "/v1/responses", 405)]
    [InlineData("PATCH", "/v1/responses/resp_x", 405)]
    [InlineData("GET", "/v1/responses/input_tokens", 405)]
    [InlineData("DELETE", "/v1/responses/input_tokens", 405)]
    [InlineData("GET", "/v1/responses/resp_x/unknown", 404)]
    [InlineData("POST", "/v1/responses/resp_x/unknown", 404)]
    public async Task Route_ThatDoesNotExist_IsATypedError(string method, string path, int status)
    {
        var reply = await SendAsync(new HttpMethod(method), path, method == "GET" ? null : "{}");

        Assert.Equal(status, (int)reply.Status);
        Assert.Equal("invalid_request_error", reply.Json.Text("error.type"));
    }

    [Theory]
    [InlineData("compact")]
    public async Task Route_OfALaterFeature_IsATypedError(string segment)
    {
        var reply = await PostAsync(WithModel("""{"input":"Hi"}"""), path: "/v1/responses/" + segment);

        Assert.InRange((int)reply.Status, 400, 499);
        Assert.NotNull(reply.Json.Text("error.type"));
    }

    [Fact]
    public async Task WebSocketUpgrade_Answers426()
    {
        var reply = await SendAsync(HttpMethod.Get, "/v1/responses", headers:
            [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]);

        Assert.Equal(426, (int)reply.Status);
        Assert.NotNull(reply.Json.Text("error.type"));
    }

    [Fact]
    public async Task EveryAnswer_HasARequestId()
    {
        var good = await PostAsync(WithModel("""{"input":"Hi"}"""));
        var bad = await PostAsync("{}");

        Assert.NotEqual(good.Headers.GetValues("x-request-id").Single(), bad.Headers.GetValues("x-request-id").Single());
    }

    [Theory]
    [InlineData("/v1/responses")]
    [InlineData("/inference/v1/responses")]
    public async Task Fact74_CancelOfAForegroundResponse_IsRefused(string path)
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        var reply = await PostAsync("{}", path: $"{path}/{created.Text("id")}/cancel");

        reply.AssertError(400, null, null);
        Assert.Equal("Cannot cancel a synchronous response.", reply.Json.Text("error.message"));
        (await PostAsync("{}", path: $"{path}/resp_x/cancel")).AssertError(404, null, null);
    }

    [Fact]
    public async Task Get_StreamOfAForegroundResponse_IsRefused()
    {
        var created = await CreateAsync("""{"input":"Hi"}""");

        (await GetAsync($"/v1/responses/{created.Text("id")}?stream=true")).AssertError(400, "unsupported_value", "stream");
    }

    [Theory]
    [InlineData("\"prompt\":{\"id\":\"p\"}", "prompt")]
    [InlineData("\"moderation\":{\"model\":\"m\"}", "moderation")]
    public async Task Feature_OfALaterIssue_IsAnUnsupportedParameter(string member, string param) =>
        (await PostAsync(WithModel($$"""{"input":"Hi",{{member}}}"""))).AssertError(400, "unsupported_parameter", param);
}
