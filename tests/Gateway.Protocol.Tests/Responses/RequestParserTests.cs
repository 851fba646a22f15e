using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class RequestParserTests
{
    [Fact]
    public void Parse_Minimal_HasDefaults()
    {
        var request = Requests.Parse("""{"model":"m","input":"hi"}""");

        Assert.Equal("m", request.Model);
        Assert.True(request.HasInput);
        Assert.True(request.Store);
        Assert.False(request.Stream);
        Assert.False(request.Background);
        Assert.True(request.Generate);
        Assert.False(request.TruncationAuto);
        Assert.Null(request.Temperature);
        Assert.Null(request.ParallelToolCalls);
        Assert.Equal(TextFormatKind.Text, request.TextFormat.Kind);
        Assert.Equal(ToolChoiceMode.Auto, request.ToolChoice.Mode);
        Assert.Equal(Includes.None, request.Include);
        Assert.True(request.Metadata.IsEmpty);
        Assert.True(request.ToolsJson.IsEmpty);
        Assert.Empty(request.ExtraParameters);
    }

    [Fact]
    public void Parse_EveryScalar_IsRead()
    {
        var request = Requests.Parse(
            """
            {"model":"m","input":"hi","instructions":"be brief","previous_response_id":"resp_1-A","store":false,"stream":true,
             "stream_options":{"include_obfuscation":true},
             "include":["message.output_text.logprobs","reasoning.encrypted_content","message.input_image.image_url",
               "computer_call_output.output.image_url","file_search_call.results","web_search_call.results",
               "web_search_call.action.sources","code_interpreter_call.outputs"],
             "metadata":{"a":"b"},"max_output_tokens":16,"max_tool_calls":1,"temperature":2,"top_p":0.5,"presence_penalty":-2,
             "frequency_penalty":1e0,"top_logprobs":20,"parallel_tool_calls":false,"text":{"format":{"type":"json_object"},"verbosity":"low"},
             "reasoning":{"effort":"xhigh","generate_summary":"concise","context":"all_turns","mode":"pro"},"truncation":"auto",
             "service_tier":"flex","safety_identifier":"s","user":"u","prompt_cache_key":"k","prompt_cache_options":{"mode":"implicit"},
             "prompt_cache_retention":"24h","generate":false,"context_management":[{"type":"compaction","compact_threshold":1000}]}
            """);

        Assert.Equal("be brief", request.Instructions);
        Assert.Equal("resp_1-A", request.PreviousResponseId);
        Assert.False(request.Store);
        Assert.True(request.Stream);
        Assert.True(request.IncludeObfuscation);
        Assert.Equal((Includes)255, request.Include);
        Assert.Equal("""{"a":"b"}""", Requests.Text(request.Metadata));
        Assert.Equal(16, request.MaxOutputTokens);
        Assert.Equal(1, request.MaxToolCalls);
        Assert.Equal(2, request.Temperature);
        Assert.Equal(0.5, request.TopP);
        Assert.Equal(-2, request.PresencePenalty);
        Assert.Equal(1, request.FrequencyPenalty);
        Assert.Equal(20, request.TopLogprobs);
        Assert.False(request.ParallelToolCalls);
        Assert.Equal(TextFormatKind.JsonObject, request.TextFormat.Kind);
        Assert.Equal("""{"type":"json_object"}""", Requests.Text(request.TextFormatJson));
        Assert.Equal("low", request.Verbosity);
        Assert.Equal("xhigh", request.ReasoningEffort);
        Assert.Equal("concise", request.ReasoningSummary);
        Assert.Equal("all_turns", request.ReasoningContext);
        Assert.Equal("pro", request.ReasoningMode);
        Assert.True(request.TruncationAuto);
        Assert.Equal("flex", request.ServiceTier);
        Assert.Equal("s", request.SafetyIdentifier);
        Assert.Equal("u", request.User);
        Assert.Equal("k", request.PromptCacheKey);
        Assert.Equal("""{"mode":"implicit"}""", Requests.Text(request.PromptCacheOptions));
        Assert.Equal("24h", request.PromptCacheRetention);
        Assert.False(request.Generate);
    }

    [Fact]
    public void Parse_NullScalars_CountAsAbsent()
    {
        var request = Requests.Parse(Requests.With(
            """
            "instructions":null,"previous_response_id":null,"conversation":null,"store":null,"background":null,"stream":null,
            "stream_options":null,"include":null,"metadata":null,"max_output_tokens":null,"max_tool_calls":null,"temperature":null,
            "top_p":null,"presence_penalty":null,"frequency_penalty":null,"top_logprobs":null,"parallel_tool_calls":null,
            "text":{"format":null,"verbosity":null},"reasoning":{"effort":null,"summary":null,"generate_summary":null,"context":null},
            "truncation":null,"tools":null,"tool_choice":null,"service_tier":null,"safety_identifier":null,"user":null,
            "prompt_cache_key":null,"prompt_cache_retention":null,"prompt":null,"context_management":null,"moderation":null,"seed":null
            """));

        Assert.True(request.Store);
        Assert.Null(request.MaxOutputTokens);
        Assert.Empty(request.Tools);
        Assert.Empty(request.ExtraParameters);
    }

    [Fact]
    public void Fact01_StringInput_EqualsOneUserMessage()
    {
        var text = Requests.Parse("""{"model":"m","input":"a \"b\" \u00e9"}""").Input;
        var items = Requests.ParseInput("""{"type":"message","role":"user","content":[{"type":"input_text","text":"a \"b\" \u00e9"}]}""").Input;

        Assert.Equal(Requests.Text(Assert.Single(items).Json), Requests.Text(Assert.Single(text).Json));
        Assert.Equal(ItemKind.Message, text[0].Kind);
        Assert.Equal("""{"type":"message","role":"user","content":[{"type":"input_text","text":"a \"b\" é"}]}""", Requests.Text(ItemTable.UserMessage("a \"b\" é").Json));
    }

    [Fact]
    public void Fact04_UnknownMember_IsIgnoredUnlessStrict()
    {
        const string Json = """{"model":"m","input":"hi","client_metadata":{"a":1},"what":{"ever":[1]}}""";

        Requests.Parse(Json);
        var error = Requests.Reject(Json, RequestRules.Default with { StrictParameters = true });

        Assert.Equal((400, "unknown_parameter", "what"), (error.Status, error.Code, error.Param));
    }

    [Theory]
    [InlineData("""{"input":"hi"}""", "missing_required_parameter", "model")] // fact 5
    [InlineData("""{"model":null,"input":"hi"}""", "missing_required_parameter", "model")]
    [InlineData("""{"model":"","input":"hi"}""", "missing_required_parameter", "model")]
    [InlineData("""{"model":1,"input":"hi"}""", "invalid_type", "model")]
    [InlineData("""{"model":"m"}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"m","input":null}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"m","input":""}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"m","input":[]}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"m","input":7}""", "invalid_type", "input")]
    [InlineData("""{"model":"m","input":{"role":"user"}}""", "invalid_type", "input")]
    [InlineData("""{"model":"m","model":"n","input":"hi"}""", "invalid_value", "model")]
    [InlineData("""{"model":"m","input":"hi","\u0069nput":"ho"}""", "invalid_value", "input")]
    public void Parse_ModelAndInput_AreRequired(string json, string code, string param)
    {
        var error = Requests.Reject(json);

        Assert.Equal((400, code, param), (error.Status, error.Code, error.Param));
    }

    [Theory]
    [InlineData("\"temperature\":2.1", "decimal_above_max_value", "temperature")] // fact 7
    [InlineData("\"temperature\":-1e-9", "decimal_below_min_value", "temperature")]
    [InlineData("\"temperature\":1e999", "decimal_above_max_value", "temperature")]
    [InlineData("\"temperature\":\"1\"", "invalid_type", "temperature")]
    [InlineData("\"top_p\":-0.1", "decimal_below_min_value", "top_p")]
    [InlineData("\"top_p\":1.01", "decimal_above_max_value", "top_p")]
    [InlineData("\"presence_penalty\":2.5", "decimal_above_max_value", "presence_penalty")]
    [InlineData("\"frequency_penalty\":-2.5", "decimal_below_min_value", "frequency_penalty")]
    [InlineData("\"top_logprobs\":21", "integer_above_max_value", "top_logprobs")]
    [InlineData("\"top_logprobs\":-1", "integer_below_min_value", "top_logprobs")]
    [InlineData("\"top_logprobs\":1.0", "invalid_type", "top_logprobs")]
    [InlineData("\"top_logprobs\":1e1", "invalid_type", "top_logprobs")]
    [InlineData("\"max_output_tokens\":15", "integer_below_min_value", "max_output_tokens")]
    [InlineData("\"max_output_tokens\":99999999999", "integer_above_max_value", "max_output_tokens")]
    [InlineData("\"max_output_tokens\":99999999999999999999999999", "integer_above_max_value", "max_output_tokens")]
    [InlineData("\"max_output_tokens\":-99999999999999999999999999", "integer_below_min_value", "max_output_tokens")]
    [InlineData("\"max_output_tokens\":true", "invalid_type", "max_output_tokens")]
    [InlineData("\"max_tool_calls\":0", "integer_below_min_value", "max_tool_calls")]
    [InlineData("\"max_tool_calls\":-3", "integer_below_min_value", "max_tool_calls")]
    [InlineData("\"instructions\":[]", "invalid_type", "instructions")]
    [InlineData("\"store\":\"yes\"", "invalid_type", "store")]
    [InlineData("\"stream\":1", "invalid_type", "stream")]
    [InlineData("\"parallel_tool_calls\":0", "invalid_type", "parallel_tool_calls")]
    [InlineData("\"truncation\":\"always\"", "invalid_value", "truncation")]
    [InlineData("\"service_tier\":\"gold\"", "invalid_value", "service_tier")]
    [InlineData("\"prompt_cache_retention\":\"1h\"", "invalid_value", "prompt_cache_retention")]
    [InlineData("\"prompt_cache_options\":1", "invalid_type", "prompt_cache_options")]
    [InlineData("\"reasoning\":\"high\"", "invalid_type", "reasoning")]
    [InlineData("\"reasoning\":{\"effort\":\"huge\"}", "invalid_value", "reasoning.effort")]
    [InlineData("\"reasoning\":{\"effort\":3}", "invalid_type", "reasoning.effort")]
    [InlineData("\"reasoning\":{\"effort\":\"low\",\"effort\":\"high\"}", "invalid_value", "reasoning.effort")]
    [InlineData("\"reasoning\":{\"summary\":\"all\"}", "invalid_value", "reasoning.summary")]
    [InlineData("\"reasoning\":{\"context\":\"none\"}", "invalid_value", "reasoning.context")]
    [InlineData("\"text\":[]", "invalid_type", "text")]
    [InlineData("\"text\":{\"verbosity\":\"huge\"}", "invalid_value", "text.verbosity")]
    [InlineData("\"text\":{\"format\":\"json\"}", "invalid_type", "text.format")]
    [InlineData("\"text\":{\"format\":{}}", "missing_required_parameter", "text.format.type")]
    [InlineData("\"text\":{\"format\":{\"type\":\"xml\"}}", "invalid_value", "text.format.type")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}", "missing_required_parameter", "text.format.name")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}", "missing_required_parameter", "text.format.schema")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":[]}}", "invalid_type", "text.format.schema")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n m\",\"schema\":{}}}", "invalid_value", "text.format.name")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},\"strict\":1}}", "invalid_type", "text.format.strict")]
    [InlineData("\"include\":[\"all\"]", "invalid_value", "include[0]")]
    [InlineData("\"include\":[\"message.output_text.logprobs\",5]", "invalid_type", "include[1]")]
    [InlineData("\"include\":\"reasoning.encrypted_content\"", "invalid_type", "include")]
    [InlineData("\"stream_options\":{}", "invalid_value", "stream_options")]
    [InlineData("\"stream\":true,\"stream_options\":{\"include_obfuscation\":1}", "invalid_type", "stream_options.include_obfuscation")]
    [InlineData("\"metadata\":[]", "invalid_type", "metadata")]
    [InlineData("\"metadata\":{\"k\":1}", "invalid_type", "metadata.k")]
    [InlineData("\"metadata\":{\"k\":\"1\",\"k\":\"2\"}", "invalid_value", "metadata.k")]
    [InlineData("\"previous_response_id\":\"resp 1\"", "invalid_value", "previous_response_id")]
    [InlineData("\"previous_response_id\":\"\"", "invalid_value", "previous_response_id")]
    [InlineData("\"previous_response_id\":\"r\\n\"", "invalid_value", "previous_response_id")]
    [InlineData("\"previous_response_id\":5", "invalid_type", "previous_response_id")]
    [InlineData("\"previous_response_id\":\"r\",\"conversation\":\"c\"", "mutually_exclusive_parameters", "previous_response_id")] // fact 9
    [InlineData("\"background\":true,\"store\":false", "unsupported_value", "store")] // fact 10
    [InlineData("\"conversation\":7", "invalid_type", "conversation")]
    [InlineData("\"conversation\":[]", "invalid_type", "conversation")]
    [InlineData("\"conversation\":\"\"", "invalid_value", "conversation")]
    [InlineData("\"conversation\":\"conv 1\"", "invalid_value", "conversation")]
    [InlineData("\"conversation\":{}", "missing_required_parameter", "conversation.id")]
    [InlineData("\"conversation\":{\"id\":null}", "missing_required_parameter", "conversation.id")]
    [InlineData("\"conversation\":{\"id\":7}", "invalid_type", "conversation.id")]
    [InlineData("\"conversation\":{\"id\":\"conv/1\"}", "invalid_value", "conversation.id")]
    [InlineData("\"prompt\":{\"id\":\"p\"}", "unsupported_parameter", "prompt")]
    [InlineData("\"moderation\":{\"model\":\"m\"}", "unsupported_parameter", "moderation")]
    [InlineData("\"context_management\":{}", "invalid_type", "context_management")]
    [InlineData("\"context_management\":[1]", "invalid_type", "context_management[0]")]
    [InlineData("\"context_management\":[{\"type\":\"trim\"}]", "invalid_value", "context_management[0].type")]
    [InlineData("\"context_management\":[{}]", "missing_required_parameter", "context_management[0].type")]
    [InlineData("\"context_management\":[{\"type\":\"compaction\",\"compact_threshold\":999}]", "integer_below_min_value", "context_management[0].compact_threshold")]
    [InlineData("\"tools\":{}", "invalid_type", "tools")]
    public void Parse_BadScalar_GivesTheCataloguesError(string members, string code, string param)
    {
        var error = Requests.Reject(Requests.With(members));

        Assert.Equal((400, "invalid_request_error", code, param), (error.Status, error.Type, error.Code, error.Param));
    }

    [Fact]
    public void Parse_Messages_FollowTheCatalogue()
    {
        Assert.Equal("Missing required parameter: 'model'.", Requests.Reject("""{"input":"hi"}""").Message);
        Assert.Equal(
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
            Requests.Reject(Requests.With("\"temperature\":\"x\"")).Message);
        Assert.Equal(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
            Requests.Reject(Requests.With("\"max_output_tokens\":1")).Message);
        Assert.Equal(
            "Invalid 'previous_response_id': 'a b'. Expected an ID that contains letters, numbers, underscores, or dashes, but this value contained additional characters.",
            Requests.Reject(Requests.With("\"previous_response_id\":\"a b\"")).Message);
        Assert.Equal(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing one of them.",
            Requests.Reject(Requests.With("\"previous_response_id\":\"r\",\"conversation\":\"c\"")).Message);
        Assert.Equal("Background mode requires store to be true.", Requests.Reject(Requests.With("\"background\":true,\"store\":false")).Message);
    }

    [Fact]
    public void Fact08_Metadata_HasLimits()
    {
        var pairs = string.Join(',', Enumerable.Range(0, 17).Select(i => $"\"k{i}\":\"v\""));
        Assert.Equal("object_above_max_properties", Requests.Reject(Requests.With($$"""
            "metadata":{{{pairs}}}
            """)).Code);
        Assert.Equal("string_above_max_length", Requests.Reject(Requests.With($$"""
            "metadata":{"{{new string('k', 65)}}":"v"}
            """)).Code);
        var tooLong = Requests.Reject(Requests.With($$"""
            "metadata":{"k":"{{new string('v', 513)}}"}
            """));
        Assert.Equal(("string_above_max_length", "metadata.k"), (tooLong.Code, tooLong.Param));

        // 512 characters, each of them two UTF-16 units.
        Requests.Parse(Requests.With($$"""
            "metadata":{"{{new string('k', 64)}}":"{{string.Concat(Enumerable.Repeat("😀", 512))}}"}
            """));
    }

    [Theory]
    [InlineData("safety_identifier", 128)]
    [InlineData("prompt_cache_key", 64)]
    public void Parse_LongIdentifier_IsRefused(string name, int max)
    {
        Requests.Parse(Requests.With($"\"{name}\":\"{new string('x', max)}\""));
        var error = Requests.Reject(Requests.With($"\"{name}\":\"{new string('x', max + 1)}\""));

        Assert.Equal(("string_above_max_length", name), (error.Code, error.Param));
    }

    [Fact]
    public void Parse_WithParent_NeedsNeitherModelNorInput()
    {
        var silent = Requests.Parse("""{"previous_response_id":"resp_1"}""");
        var empty = Requests.Parse("""{"previous_response_id":"resp_1","input":[]}""");

        Assert.Null(silent.Model);
        Assert.False(silent.HasInput);
        Assert.True(empty.HasInput);
        Assert.Empty(empty.Input);
    }

    [Fact]
    public void Parse_LowerMinimumOfADialect_IsUsed()
    {
        var request = Requests.Parse(Requests.With("\"max_output_tokens\":1"), RequestRules.Default with { MinOutputTokens = 1 });

        Assert.Equal(1, request.MaxOutputTokens);
    }

    [Fact]
    public void Parse_ExtraParameters_AreGatheredRaw()
    {
        var request = Requests.Parse(Requests.With("\"stop\":[\"a\", \"b\"],\"seed\":42,\"chat_template_kwargs\":{\"x\":true},\"unheard_of\":1"));

        Assert.Equal(
            ["chat_template_kwargs={\"x\":true}", "seed=42", "stop=[\"a\", \"b\"]"],
            request.ExtraParameters.Select(p => $"{p.Key}={Requests.Text(p.Value)}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Parse_Limits_AreKept()
    {
        var rules = RequestRules.Default with { MaxItems = 2, MaxInputChars = 3, MaxTools = 1, MaxContentParts = 1 };
        const string Message = """{"role":"user","content":"x"}""";

        Requests.Parse(Requests.WithInput($"{Message},{Message}"), rules);
        Assert.Equal("array_above_max_length", Requests.Reject(Requests.WithInput($"{Message},{Message},{Message}"), rules).Code);
        Requests.Parse("""{"model":"m","input":"äöü"}""", rules);
        Assert.Equal("string_above_max_length", Requests.Reject("""{"model":"m","input":"abcd"}""", rules).Code);
        Assert.Equal(
            "array_above_max_length",
            Requests.Reject(Requests.With("\"tools\":[{\"type\":\"function\",\"name\":\"a\"},{\"type\":\"function\",\"name\":\"b\"}]"), rules with { MaxInputChars = 10 }).Code);
        Assert.Equal(
            "input[0].content",
            Requests.Reject(Requests.WithInput("""{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]}"""), rules).Param);
    }

    [Fact]
    public void Parse_PrettyPrintedBody_IsCompacted()
    {
        var request = Requests.Parse(
            "{\r\n\t\"model\": \"m\",\n \"input\": [\n {\"role\": \"user\",\n\t\"content\": \"a\\nb \\\" \\\\\" , \"x\": [ 1 , null ]}],\n \"metadata\": {\n\"a b\": \"\"}}");

        Assert.Equal("{\"a b\":\"\"}", Requests.Text(request.Metadata));
        Assert.Equal("{\"role\":\"user\",\"content\":\"a\\nb \\\" \\\\\",\"x\":[1,null]}", Requests.Text(request.Input[0].Json));
    }

    [Theory]
    [InlineData("{\"model\":\"m\",\n\"temperature\":1 2}")]
    [InlineData("{\"model\":\"m\",\n\"store\":tr ue}")]
    [InlineData("{\"model\":\"m\",\n\"input\":\"a\tb\"}")]
    public void Parse_IllFormedWithLineBreaks_IsNotRepaired(string body)
    {
        Assert.Null(Requests.Reject(body).Code);
    }
}
