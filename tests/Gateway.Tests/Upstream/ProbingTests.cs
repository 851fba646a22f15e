using System.Net;
using System.Text.Json.Nodes;
using Gateway.Protocol.Translation;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Gateway.Upstream.Probing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

public sealed class ProbingTests : IDisposable
{
    private const string Name = "main";
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    private readonly CollectedLogs _logs = new();
    private readonly FakeTimeProvider _time = new();

    public static TheoryData<string> Recordings => [.. RecordedServer.Names];

    public void Dispose() => _logs.Dispose();

    [Theory]
    [MemberData(nameof(Recordings))]
    public async Task Probe_RecordedServer_ArrivesAtItsProfile(string name)
    {
        await using var server = await RecordedServer.StartAsync(name);
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        var expected = server.Expected;
        Assert.Equal((expected["kind"]!.GetValue<string>(), expected["version"]!.GetValue<string>()), (report.Kind!.Profile, report.Kind.Version));
        Assert.Equal(
            expected["capabilities"]!.AsObject().Select(c => KeyValuePair.Create(c.Key, c.Value!.GetValue<string>())), report.Capabilities);
        Assert.Equal(expected["learned"]!.ToJsonString(), report.Learned.ToJsonString());
        Assert.Equal(expected["calls"]!.GetValue<int>(), report.Calls);
        Assert.Equal(report.Calls, server.ChatQuestions.Count());
        var profile = host.Routes.Find(expected["models"]![0]!.GetValue<string>())!.First.Profile;
        Assert.Equal(expected["kind"]!.GetValue<string>(), profile.Name);
        var row = ProfileTable.Compose(profile.Name, [], []);
        Assert.Equal(
            expected["learned"]!.AsObject().Select(l => l.Key).Order(StringComparer.Ordinal),
            ProfileTable.Settings(profile).Except(ProfileTable.Settings(row), new SameSetting()).Select(s => s.Key));
        var line = Assert.Single(_logs.All, log => log.EventId.Id == 3050);
        Assert.Contains($"{Name} is {profile.Name}, version {report.Kind.Version};", line.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_logs.All, log => log.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task Probe_EveryCall_AsksForOneTokenOfTheFirstModel()
    {
        await using var server = await RecordedServer.StartAsync("litellm");
        await using var host = await StartAsync(server, ("ApiKey", "k"));

        await CompleteAsync(host);

        Assert.All(server.ChatQuestions, question => Assert.Equal(("claude-sonnet", 1), ((string)question.Body!["model"]!, (int)question.Body["max_tokens"]!)));
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("generic")]
    public async Task Probe_ProfileIsGiven_AsksNothing(string profile)
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        await using var host = await StartAsync(server, ("Profile", profile));
        await host.Routes.WaitForFirstDiscoveryAsync(default);

        // Beside it one that is probed, so that a round has certainly passed.
        host.Reload(("Gateway:Upstreams:other:Address", server.Address), ("Gateway:Upstreams:other:Headers:x-other", "1"));
        await AdvanceUntilAsync(() => Find(host, "other").Probe.Status == ProbeStatus.Complete);

        Assert.Equal(ProbeStatus.Pending, Find(host, Name).Probe.Status);
        Assert.Equal(profile, Find(host, Name).Profile.Name);
        Assert.Equal(8, server.ChatQuestions.Count());
    }

    [Fact]
    public async Task Probe_IsOff_AsksNothing()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        await using var host = await StartAsync(server, ("/Gateway:Probing:Enabled", "false"));

        await host.Routes.WaitForFirstDiscoveryAsync(default);
        _time.Advance(Interval);

        Assert.All(server.Questions, question => Assert.Equal("/v1/models", question.Path));
        Assert.Equal("generic", Find(host, Name).Profile.Name);
    }

    [Theory]
    [InlineData(503, """{"error":{"message":"Loading model","type":"unavailable_error","code":503}}""")]
    [InlineData(429, """{"error":{"message":"Slow down"}}""")]
    [InlineData(401, """{"error":{"message":"Invalid key"}}""")]
    [InlineData(403, "")]
    [InlineData(200, """{"error":{"message":"overloaded","type":"overloaded_error","code":503}}""")]
    public async Task Probe_ServerDoesNotAnswerNow_IsNeverANoAndGoesOnThere(int status, string body)
    {
        var isAway = true;
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Roles == "user,user" && Volatile.Read(ref isAway) ? ChatScript.Of(status, body) : null;
        await using var host = await StartAsync(server);
        await Until.TrueAsync(() => Find(host, Name).Probe.Reason is not null);
        var before = Find(host, Name);
        Assert.Equal(ProbeStatus.Incomplete, before.Probe.Status);
        Assert.False(before.Probe.Learned.ContainsKey("alternate_roles"));
        // The kind is known, and with it its row.
        Assert.Equal("vllm", before.Profile.Name);

        Volatile.Write(ref isAway, false);
        var report = await CompleteLaterAsync(host);

        Assert.Equal(server.Expected["learned"]!.ToJsonString(), report.Learned.ToJsonString());
        // One each of what was answered at once.
        Assert.Single(server.ChatQuestions, question => question.Has("stream_options"));
        Assert.Equal(1, server.ChatQuestions.Count(question => question.Roles == "system,user"));
        Assert.InRange(server.ChatQuestions.Count(question => question.Roles == "user,user"), 2, 10);
    }

    [Fact]
    public async Task Probe_ServerIsLoading_GenericStaysUntilItAnswers()
    {
        var isLoading = true;
        await using var server = await RecordedServer.StartAsync("llamacpp");
        server.Instead = _ => Volatile.Read(ref isLoading) ? ChatScript.Of(503, """{"error":{"message":"Loading model","type":"unavailable_error","code":503}}""") : null;
        await using var host = await StartAsync(server, ("Models:0", "tiny"));
        await AdvanceUntilAsync(() => _logs.All.Any(log => log.EventId.Id == 3051));
        Assert.Equal("generic", host.Routes.Find("tiny")!.First.Profile.Name);
        Assert.Empty(server.ChatQuestions);
        Assert.Contains("status 503", _logs.Text, StringComparison.Ordinal);

        Volatile.Write(ref isLoading, false);
        await CompleteLaterAsync(host);

        Assert.Equal("llamacpp", host.Routes.Find("tiny")!.First.Profile.Name);
        Assert.Single(_logs.All, log => log.EventId.Id == 3051);
    }

    [Fact]
    public async Task Probe_ServerIsDown_BacksOff()
    {
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?>
            {
                [$"Gateway:Upstreams:{Name}:Address"] = UpstreamHost.Refusing(),
                [$"Gateway:Upstreams:{Name}:Models:0"] = "m",
                ["Gateway:Probing:Enabled"] = "true",
            },
            Configure);
        List<TimeSpan> waits = [];
        DateTimeOffset? last = null;

        await AdvanceUntilAsync(() =>
        {
            if (Find(host, Name).Probe.At is { } at && at != last)
            {
                waits.Add(at - (last ?? at));
                last = at;
            }

            return waits.Count == 7;
        });

        // Twice as long each time, seen with the step of the test's clock; within some steps of it, since it goes on while a connection is refused.
        Assert.True(waits[6] > 3 * waits[3], string.Join(' ', waits));
        Assert.Equal("generic", Find(host, Name).Profile.Name);
    }

    [Fact]
    public async Task Probe_NoAnswerInTime_IsAskedAgainAndHoldsNoRequestUp()
    {
        var gate = new TaskCompletionSource();
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Gate = gate.Task;
        await using var host = await StartAsync(server, ("Models:0", "m"), ("/Gateway:Probing:Timeout", "00:00:30"));
        await Until.TrueAsync(() => server.Questions.Count > 0);

        // A request while the server owes the probe its answer.
        await using (var reply = await host.Chat.SendAsync(
            ChatCall.To(host.Routes.Find("m")!.First, """{"messages":[],"max_tokens":5}"""u8.ToArray(), stream: false), default))
        {
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        await AdvanceUntilAsync(() => Find(host, Name).Probe.Reason == "no answer in time");
        gate.SetResult();
        await CompleteLaterAsync(host);

        Assert.Equal("vllm", host.Routes.Find("m")!.First.Profile.Name);
    }

    [Fact]
    public async Task Probe_ASingle500_IsRepeated()
    {
        var failures = 1;
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Roles == "user,user" && Interlocked.Decrement(ref failures) >= 0 ? ChatScript.Of(500, "oops") : null;
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        Assert.Contains(new("consecutive_user_messages", "yes"), report.Capabilities);
    }

    [Fact]
    public async Task Probe_500OfATemplate_IsANo()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Roles == "user,user"
            ? ChatScript.Of(500, """{"error":{"code":500,"message":"Jinja Exception: roles must alternate","type":"server_error"}}""") : null;
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        Assert.True((bool)report.Learned["alternate_roles"]!);
        Assert.Equal(2, server.ChatQuestions.Count(question => question.Roles == "user,user"));
    }

    [Fact]
    public async Task Probe_OperatorsKeys_WinAndAreNotAsked()
    {
        await using var server = await RecordedServer.StartAsync("sglang");
        await using var host = await StartAsync(
            server,
            ("ProfileOptions:ParallelToolCalls", "drop"),
            ("ProfileOptions:alternate_roles", "true"),
            ("ProfileOptions:json_schema", "none"),
            ("ProfileOptions:extra_body:chat_template_kwargs:enable_thinking", "false"));

        await CompleteAsync(host);

        var profile = Find(host, Name).Profile;
        Assert.Equal((Forwarding.Drop, true, JsonSchemaMode.None, "sglang"), (profile.ParallelToolCalls, profile.AlternateRoles, profile.JsonSchema, profile.Name));
        Assert.DoesNotContain(server.ChatQuestions, question => question.Has("parallel_tool_calls") || question.Has("response_format") || question.Roles == "user,user");
        Assert.All(server.ChatQuestions, question => Assert.False((bool)question.Body!["chat_template_kwargs"]!["enable_thinking"]!));
    }

    [Fact]
    public async Task Probe_WhatARefusalTaught_Stays()
    {
        var gate = new TaskCompletionSource();
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Gate = gate.Task;
        await using var host = await StartAsync(server, ("Models:0", "m"));
        host.Routes.Remember(host.Routes.Find("m")!.First, profile => profile with { StreamOptions = false });

        gate.SetResult();
        await CompleteAsync(host);

        var profile = host.Routes.Find("m")!.First.Profile;
        Assert.Equal(("vllm", false), (profile.Name, profile.StreamOptions));
    }

    [Fact]
    public async Task Probe_NothingChanged_LooksWithoutTokens()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        await using var host = await StartAsync(server);
        await CompleteAsync(host);

        await AdvanceUntilAsync(() => server.Questions.Count(question => question.Path == "/version") >= 3);

        Assert.Equal(8, server.ChatQuestions.Count());
        Assert.Single(_logs.All, log => log.EventId.Id == 3050);
    }

    [Theory]
    [InlineData("/version", """{"version":"0.17.0"}""")]
    [InlineData("/v1/models", """{"object":"list","data":[{"id":"next","object":"model","owned_by":"vllm"}]}""")]
    public async Task Probe_VersionOrModelsChanged_AsksAgain(string path, string body)
    {
        var hasChanged = false;
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => Volatile.Read(ref hasChanged) && question.Path == path ? ChatScript.Of(200, body) : null;
        await using var host = await StartAsync(server);
        await CompleteAsync(host);

        Volatile.Write(ref hasChanged, true);
        await AdvanceUntilAsync(() => _logs.All.Count(log => log.EventId.Id == 3050) == 2);

        Assert.Equal(16, server.ChatQuestions.Count());
    }

    [Fact]
    public async Task Probe_ConfigurationChanged_AsksAgain_AndTheEarlierOutcomeHoldsMeanwhile()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        await using var host = await StartAsync(server);
        await CompleteAsync(host);
        var first = Find(host, Name);
        var gate = new TaskCompletionSource();
        server.Gate = gate.Task;

        host.Reload(($"Gateway:Upstreams:{Name}:IdleTimeout", "00:01:00"));
        var second = Find(host, Name);
        Assert.NotSame(first, second);
        Assert.Equal((first.Profile, ProbeStatus.Complete), (second.Profile, second.Probe.Status));
        gate.SetResult();
        await AdvanceUntilAsync(() => _logs.All.Count(log => log.EventId.Id == 3050) == 2);

        Assert.Equal(16, server.ChatQuestions.Count());
    }

    [Fact]
    public async Task Probe_NameOfAnotherServerIsStillLookedUp_TheFormerOneIsNotTakenForIt()
    {
        var names = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await RecordedServer.StartAsync("vllm");
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?> { [$"Gateway:Upstreams:{Name}:Address"] = server.Address, ["Gateway:Probing:Enabled"] = "true", ["Gateway:Probing:Timeout"] = "1.00:00:00" },
            services =>
            {
                Configure(services);
                services.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => names.Task);
            });
        await CompleteAsync(host);

        host.Reload(($"Gateway:Upstreams:{Name}:Address", "http://models.internal:1/v1"));
        // The clock stands until then, and so does the look-up.
        await Until.TrueAsync(() => Find(host, Name).Probe is { Reason: not null } or { Kind: not null });

        Assert.Equal((null, "no destination is known"), (Find(host, Name).Probe.Kind, Find(host, Name).Probe.Reason));
        names.SetResult([IPAddress.Loopback]);
    }

    [Fact]
    public async Task Probe_ModelsThatDoNotChat_ArePassedOver()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => (string?)question.Body?["model"] == "embed" ? ChatScript.Of(400, """{"message":"The model does not support Chat Completions API"}""") : null;
        await using var host = await StartAsync(server, ("Models:0", "embed"), ("Models:1", "chat"));

        var report = await CompleteAsync(host);

        Assert.Equal("chat", report.Model);
        Assert.Equal(server.Expected["capabilities"]!.AsObject().Count, report.Capabilities.Count);
        // With a second model nothing is learned that would be wrong for it.
        Assert.False(report.Learned.ContainsKey("system_merge"));
    }

    [Fact]
    public async Task Probe_NoModelChats_LearnsNothingAndTriesAgain()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Body is null ? null : ChatScript.Of(400, """{"message":"no chat template"}""");
        await using var host = await StartAsync(server);

        await AdvanceUntilAsync(() => server.ChatQuestions.Count() >= 3);

        var report = Find(host, Name).Probe;
        Assert.Equal((ProbeStatus.Incomplete, "no model of the first 1 answers a plain message"), (report.Status, report.Reason));
        Assert.Empty(report.Learned);
    }

    [Fact]
    public async Task Probe_RefusedLimit_IsCalledByItsOtherName()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Path == "/v1/models" ? ChatScript.Of(200, """{"data":[{"id":"o","owned_by":"someone"}]}""")
            : question.Has("max_tokens") ? ChatScript.Of(400, """{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}""") : null;
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        Assert.Equal(("generic", "max_completion_tokens"), (report.Kind!.Profile, (string)report.Learned["max_tokens_field"]!));
        Assert.Equal(MaxTokensField.MaxCompletionTokens, Find(host, Name).Profile.MaxTokensField);
        Assert.Single(server.ChatQuestions, question => question.Has("max_tokens"));
    }

    [Fact]
    public async Task Probe_DeveloperIsPrintedAsAnyRole_IsNotKept()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Roles is "system,user,assistant,developer,user" or "system,user,assistant,narrator,user"
            ? ChatScript.Of(200, """{"choices":[],"usage":{"prompt_tokens":118}}""") : null;
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        Assert.Contains(new("developer_role", "any role"), report.Capabilities);
        Assert.Equal(DeveloperRole.System, Find(host, Name).Profile.DeveloperRole);
    }

    [Fact]
    public async Task Probe_SystemTextIsLeftOutInSilence_IsSeenByItsTokens()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Roles == "system,user" ? ChatScript.Of(200, """{"choices":[],"usage":{"prompt_tokens":30}}""") : null;
        await using var host = await StartAsync(server);

        var report = await CompleteAsync(host);

        Assert.Contains(new("system_role", "ignored"), report.Capabilities);
        Assert.True(Find(host, Name).Profile.NoSystemRole);
    }

    [Fact]
    public async Task Probe_NoStreaming_IsLearned()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Has("stream") ? ChatScript.Of(400, """{"message":"stream is not supported"}""") : null;
        await using var host = await StartAsync(server);

        await CompleteAsync(host);

        var profile = Find(host, Name).Profile;
        Assert.Equal((StreamMode.Never, false, JsonSchemaMode.ResponseFormat), (profile.Stream, profile.StreamOptions, profile.JsonSchema));
    }

    [Fact]
    public async Task Probe_ForcedChoicesAreRefused_GoAnotherWay()
    {
        await using var server = await RecordedServer.StartAsync("sglang");
        server.Instead = question => question.Has("tool_choice") ? ChatScript.Of(400, """{"message":"tool_choice is not supported"}""") : null;
        await using var host = await StartAsync(server);

        await CompleteAsync(host);

        var profile = Find(host, Name).Profile;
        Assert.Equal((RequiredToolChoice.Unsupported, NamedToolChoice.Filter), (profile.RequiredToolChoice, profile.NamedToolChoice));
    }

    [Theory]
    [InlineData("https://api.openai.com/v1", "openai")]
    [InlineData("https://api.fireworks.ai/inference/v1", "fireworks")]
    [InlineData("https://api.deepseek.com/v1", "deepseek")]
    public async Task Probe_HostedService_IsKnownByItsAddressAndNotAsked(string address, string profile)
    {
        // Names that nobody resolves: a question would be a failure.
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?>
            {
                [$"Gateway:Upstreams:{Name}:Address"] = address,
                [$"Gateway:Upstreams:{Name}:Models:0"] = "m",
                ["Gateway:Probing:Enabled"] = "true",
            },
            services =>
            {
                Configure(services);
                services.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult<System.Net.IPAddress[]>([System.Net.IPAddress.Loopback]));
            });

        var report = await CompleteAsync(host);

        Assert.Equal((profile, 0), (report.Kind!.Profile, report.Calls));
        Assert.Equal(profile, host.Routes.Find("m")!.First.Profile.Name);
    }

    [Fact]
    public async Task Probe_ServersOwnWords_AreNotLogged()
    {
        await using var server = await RecordedServer.StartAsync("vllm");
        server.Instead = question => question.Path == "/version" ? ChatScript.Of(200, """{"version":"1.0 secret\nline"}""")
            : question.Roles == "user,user" ? ChatScript.Of(429, """{"message":"secret"}""") : null;
        await using var host = await StartAsync(server);

        await AdvanceUntilAsync(() => _logs.All.Any(log => log.EventId.Id == 3051));

        Assert.Null(Find(host, Name).Probe.Kind!.Version);
        Assert.DoesNotContain("secret", _logs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Qwen", _logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Timeout", "00:00:00")]
    [InlineData("Interval", "-00:00:01")]
    [InlineData("Interval", "2.00:00:00")]
    public async Task Start_WrongOption_IsNamed(string key, string value)
    {
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings[$"Gateway:Probing:{key}"] = value;

        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => UpstreamHost.StartAsync(settings));

        Assert.Contains($"Gateway:Probing:{key} is '{value}'", error.Message, StringComparison.Ordinal);
    }

    private static ConfiguredUpstream Find(UpstreamHost host, string name) => host.Get<UpstreamRegistry>().Find(name)!;

    /// <summary>One upstream with the profile <c>auto</c>; keys are below it, those with a slash in front are not.</summary>
    private Task<UpstreamHost> StartAsync(RecordedServer server, params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            [$"Gateway:Upstreams:{Name}:Address"] = server.Address,
            ["Gateway:Probing:Enabled"] = "true",
            // The test's clock runs faster than the machine: only a test of the time limit may reach it.
            ["Gateway:Probing:Timeout"] = "1.00:00:00",
        };
        foreach (var (key, value) in settings)
        {
            all[key.StartsWith('/') ? key[1..] : $"Gateway:Upstreams:{Name}:{key}"] = value;
        }

        return UpstreamHost.StartAsync(all, Configure);
    }

    private void Configure(IServiceCollection services)
    {
        services.AddSingleton<TimeProvider>(_time);
        services.AddLogging(logging => logging.AddProvider(_logs));
    }

    /// <summary>Waits for the end of a probe, in which no question is asked again, so that the clock may stand.</summary>
    private async Task<ProbeReport> CompleteAsync(UpstreamHost host)
    {
        await Until.TrueAsync(() => IsComplete(host));
        return Find(host, Name).Probe;
    }

    private async Task<ProbeReport> CompleteLaterAsync(UpstreamHost host)
    {
        await AdvanceUntilAsync(() => IsComplete(host));
        return Find(host, Name).Probe;
    }

    private bool IsComplete(UpstreamHost host) => Find(host, Name).Probe.Status == ProbeStatus.Complete && _logs.All.Any(log => log.EventId.Id == 3050);

    /// <summary>Lets the clock of the host go on until something has come about.</summary>
    private Task AdvanceUntilAsync(Func<bool> condition) => Until.TrueAsync(() =>
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        return condition();
    });

    private sealed class SameSetting : IEqualityComparer<KeyValuePair<string, JsonNode>>
    {
        public bool Equals(KeyValuePair<string, JsonNode> x, KeyValuePair<string, JsonNode> y) => x.Key == y.Key && JsonNode.DeepEquals(x.Value, y.Value);

        public int GetHashCode(KeyValuePair<string, JsonNode> setting) => setting.Key.GetHashCode(StringComparison.Ordinal);
    }
}
