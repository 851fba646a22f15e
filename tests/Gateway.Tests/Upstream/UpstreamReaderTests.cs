using Gateway.Protocol.Translation;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Upstream;

public sealed class UpstreamReaderTests
{
    private const string Prefix = "Gateway:Upstreams:main:";

    [Fact]
    public void Read_NothingConfigured_IsTheDemo()
    {
        var upstream = Assert.Single(Read([]).Upstreams);

        Assert.True(upstream.IsDemo);
        Assert.Equal("demo", upstream.Name);
    }

    [Fact]
    public void Read_EverythingConfigured_IsTaken()
    {
        var (upstreams, errors) = Read(new()
        {
            [Prefix + "Address"] = "http://one:8000/v1/",
            [Prefix + "Addresses:0"] = "https://two/inference/v1",
            [Prefix + "ApiKey"] = "k",
            [Prefix + "Headers:X-A"] = "b",
            [Prefix + "Models:0"] = "small",
            [Prefix + "Models:1"] = "big=org/big-model",
            [Prefix + "Models:2"] = "org/*",
            [Prefix + "Profile"] = "vllm",
            [Prefix + "ProfileOptions:stream_options"] = "false",
            [Prefix + "ProfileOptions:ReasoningIn"] = "reasoning_content",
            [Prefix + "ProfileOptions:drop_params:0"] = "temperature",
            [Prefix + "ProfileOptions:context_window"] = "32768",
            [Prefix + "ProfileOptions:tokenizer"] = "llamacpp",
            [Prefix + "ProfileOptions:cuts_silently"] = "true",
            [Prefix + "ProfileOptions:context_error_patterns:0"] = "^prompt \\d+ too big$",
            [Prefix + "ProfileOptions:extra_body:top_k"] = "20",
            [Prefix + "ProfileOptions:extra_body:chat_template_kwargs:enable_thinking"] = "false",
            [Prefix + "ConnectTimeout"] = "00:00:01",
            [Prefix + "FirstByteTimeout"] = "00:01:00",
            [Prefix + "IdleTimeout"] = "00:00:30",
            [Prefix + "Priority"] = "-2",
            [Prefix + "Weight"] = "1000",
            [Prefix + "MaxConcurrentRequests"] = "7",
            [Prefix + "MaxQueued"] = "0",
            [Prefix + "QueueTimeout"] = "00:00:03",
            [Prefix + "Health:Path"] = "/health",
            [Prefix + "Health:Interval"] = "00:00:02",
            [Prefix + "Health:Timeout"] = "00:00:01",
        });

        Assert.Empty(errors);
        var upstream = Assert.Single(upstreams);
        Assert.Equal(["http://one:8000/v1", "https://two/inference/v1"], upstream.Addresses);
        Assert.Equal("Bearer k", upstream.Authorization!.ToString());
        Assert.Equal([new ModelRule("small", null), new ModelRule("big", "org/big-model"), new ModelRule("org/*", null)], upstream.Models);
        Assert.Equal(TimeSpan.FromSeconds(1), upstream.ConnectTimeout);
        Assert.Equal(TimeSpan.FromMinutes(1), upstream.FirstByteTimeout);
        Assert.Equal(TimeSpan.FromSeconds(30), upstream.IdleTimeout);
        Assert.Equal((-2, 1000, 7, 0), (upstream.Priority, upstream.Weight, upstream.MaxConcurrentRequests, upstream.MaxQueued));
        Assert.Equal(TimeSpan.FromSeconds(3), upstream.QueueTimeout);
        Assert.Equal(("/health", TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1)), (upstream.Health!.Path, upstream.Health.Interval, upstream.Health.Timeout));
        var profile = upstream.Profile;
        Assert.Equal("vllm", profile.Name);
        Assert.False(profile.StreamOptions);
        Assert.Equal(ReasoningIn.ReasoningContent, profile.ReasoningIn);
        Assert.Equal(EmptyAssistantContent.Empty, profile.EmptyAssistantContent);
        Assert.Equal(["temperature"], profile.DropParams);
        Assert.Equal((32768, Tokenizer.Llamacpp, true), (profile.ContextWindow, profile.Tokenizer, profile.CutsSilently));
        Assert.Equal(32768, upstream.WindowOf("any"));
        Assert.Equal(["^prompt \\d+ too big$"], profile.ContextErrorPatterns);
        Assert.Equal("""{"chat_template_kwargs":{"enable_thinking":false},"top_k":20}""", profile.ExtraBody.ToJsonString());
    }

    [Theory]
    [InlineData("Adress", "http://x/v1", "Gateway:Upstreams:main: not known: 'Adress'.")]
    [InlineData("Health:Pth", "x", "Gateway:Upstreams:main: not known: 'Pth'.")]
    [InlineData("Address", "localhost:8000", "Address is 'localhost:8000'")]
    [InlineData("Address", "ftp://x/v1", "Address is 'ftp://x/v1'")]
    [InlineData("Address", "http://user:pass@x/v1", "Address is not shown")]
    [InlineData("Addresses:0", "http://ok/v1", "Addresses:0 is 'http://ok/v1'")]
    [InlineData("Profile", "vlm", "Profile is 'vlm': it must be one of auto, generic, openai")]
    [InlineData("ProfileOptions:stream_option", "false", "ProfileOptions:stream_option is not a key")]
    [InlineData("ProfileOptions:stream_options", "maybe", "ProfileOptions:stream_options is 'maybe'")]
    [InlineData("ProfileOptions:reasoning_in", "brain", "ProfileOptions:reasoning_in is 'brain'")]
    [InlineData("ProfileOptions:context_window", "many", "ProfileOptions:context_window is 'many'")]
    [InlineData("ProfileOptions:context_window", "0", "ProfileOptions:context_window is '0': it must be at least 1 token")]
    [InlineData("ProfileOptions:tokenizer", "abacus", "ProfileOptions:tokenizer is 'abacus'")]
    [InlineData("ProfileOptions:context_error_patterns:0", "(", "context_error_patterns holds '('")]
    [InlineData("Models:0", null, "Models:0 is ''")]
    [InlineData("Headers:X-None", null, "Headers:X-None")]
    [InlineData("Models:0", "a=", "Models:0 is 'a='")]
    [InlineData("Models:0", "a=b*", "Models:0 is 'a=b*'")]
    [InlineData("ConnectTimeout", "soon", "ConnectTimeout")]
    [InlineData("FirstByteTimeout", "00:00:00", "FirstByteTimeout is '00:00:00'")]
    [InlineData("IdleTimeout", "-00:00:01", "IdleTimeout is '-00:00:01'")]
    [InlineData("Weight", "0", "Weight is '0': it must be 1 to 1000")]
    [InlineData("Weight", "1001", "Weight is '1001'")]
    [InlineData("MaxConcurrentRequests", "0", "MaxConcurrentRequests is '0': it must be at least 1")]
    [InlineData("MaxQueued", "-1", "MaxQueued is '-1': it must be 0 to 100000")]
    [InlineData("QueueTimeout", "00:00:00", "QueueTimeout is '00:00:00'")]
    [InlineData("Health:Path", "http://other/health", "Health:Path is 'http://other/health'")]
    [InlineData("Health:Path", "//other/health", "Health:Path is '//other/health'")]
    [InlineData("Health:Interval", "00:00:00", "Health:Interval is '00:00:00'")]
    [InlineData("Health:Timeout", "2.00:00:00", "Health:Timeout is '2.00:00:00'")]
    [InlineData("ApiKey", "with space", "ApiKey: the key must be")]
    [InlineData("ApiKeyFile", "/nowhere/key", "ApiKeyFile is '/nowhere/key'")]
    [InlineData("CaFile", "/nowhere/ca.pem", "CaFile is '/nowhere/ca.pem'")]
    [InlineData("Headers:Content-Length", "3", "Headers:Content-Length")]
    [InlineData("Headers:X-Bad", "a\nb", "Headers:X-Bad")]
    public void Read_WrongValue_IsNamedWithItsKey(string key, string? value, string expected)
    {
        var settings = new Dictionary<string, string?> { [Prefix + "Address"] = "http://ok/v1" };
        settings[Prefix + key] = value;

        var (upstreams, errors) = Read(settings);

        Assert.Empty(upstreams);
        var error = Assert.Single(errors);
        Assert.StartsWith("Gateway:Upstreams:main", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("pass@", error, StringComparison.Ordinal);
        Assert.DoesNotContain("with space", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_BadName_IsNamed()
    {
        var (_, errors) = Read(new() { ["Gateway:Upstreams:a b:Address"] = "http://ok/v1" });

        Assert.Contains("'a b'", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NoAddress_IsNamed()
    {
        var (_, errors) = Read(new() { [Prefix + "Profile"] = "vllm" });

        Assert.Contains("Gateway:Upstreams:main:Address is missing", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Profiles_EveryRow_IsReadable()
    {
        List<string> errors = [];

        var profiles = ProfileTable.Names.ToDictionary(name => name, name => ProfileTable.Read(name, null, "x", errors)!);

        Assert.Empty(errors);
        Assert.Equal(11, profiles.Count);
        Assert.All(profiles, p => Assert.Equal(p.Key, p.Value.Name));
        // Members that a row leaves out keep the generic profile's value.
        Assert.All(profiles.Where(p => p.Key != "openai"), p => Assert.Equal(RouteProfile.Generic.ReasoningTags, p.Value.ReasoningTags));
        Assert.Equal(MaxTokensField.MaxCompletionTokens, profiles["openai"].MaxTokensField);
        Assert.Equal(NamedToolChoice.Filter, profiles["llamacpp"].NamedToolChoice);
        Assert.False(profiles["ollama"].StreamWithTools);
        Assert.Equal(JsonSchemaMode.JsonObjectPlusPrompt, profiles["deepseek"].JsonSchema);
        Assert.Equal(ReasoningIn.Reasoning, profiles["vllm"].ReasoningIn);
    }

    private static (IReadOnlyList<ConfiguredUpstream> Upstreams, List<string> Errors) Read(Dictionary<string, string?> settings)
    {
        List<string> errors = [];
        return (UpstreamReader.Read(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), errors), errors);
    }
}
