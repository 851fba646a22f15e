using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream.Probing;

/// <summary>
/// Asks a server of known kind what it and its first model take, by chat calls of one token: only what the kind's row leaves open or what
/// varies with the model's template, and nothing that the operator decided. A question without an answer stops it there; the next run goes on
/// with that question.
/// </summary>
internal sealed class CapabilityProbe
{
    /// <summary>Calls in one run; more are made only when servers fail without a reason.</summary>
    public const int MaxCalls = 32;

    private const int MaxModels = 3;
    private const string Yes = "yes";
    private const string NoWord = "no";

    private readonly RouteProfile _row;
    private readonly JsonObject _overrides;
    private readonly IReadOnlyList<string> _models;
    private readonly bool _isOnlyModel;
    private readonly List<Question> _questions;
    private readonly List<KeyValuePair<string, string>> _capabilities = [];
    private readonly JsonObject _learned = [];
    private readonly ReasoningMember _reasoning = new();
    private int _next;
    private int _calls;
    private int _callsOfRun;
    private string _model = "";
    private MaxTokensField _limitField;
    private bool _streams = true;
    private bool _hasTools = true;
    private bool _hasSystem = true;
    private int? _plainTokens;
    private int? _systemTokens;
    private string _reason = "";

    /// <param name="row">What is sent to servers of this kind, with the operator's keys.</param>
    /// <param name="overrides">The operator's keys: they are not asked for.</param>
    /// <param name="models">The models of the upstream, by its own names, the first ones first.</param>
    public CapabilityProbe(RouteProfile row, JsonObject overrides, IReadOnlyList<string> models)
    {
        _row = row;
        _overrides = overrides;
        _models = [.. models.Take(MaxModels)];
        _isOnlyModel = models.Count == 1;
        _limitField = row.MaxTokensField;
        _questions = QuestionsFor(row.Name);
    }

    private delegate Task<bool> Question(ProbeClient client, CancellationToken cancellationToken);

    /// <summary>Asks what is open. True when nothing is left.</summary>
    public async Task<bool> RunAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        _callsOfRun = 0;
        while (_next < _questions.Count)
        {
            if (!await _questions[_next](client, cancellationToken))
            {
                return false;
            }

            _next++;
        }

        _reason = "";
        return true;
    }

    /// <summary>What is known by now.</summary>
    public ProbeReport Report(ServerKind kind, DateTimeOffset at) => new()
    {
        Status = _next == _questions.Count ? ProbeStatus.Complete : ProbeStatus.Incomplete,
        Kind = kind,
        Model = _model.Length > 0 ? _model : null,
        Capabilities = [.. _capabilities],
        Learned = _learned.DeepClone().AsObject(),
        Calls = _calls,
        Reason = _reason.Length > 0 ? _reason : null,
        At = at,
    };

    /// <summary>
    /// Rows of hosted services say all there is, and each call is billed. Ollama puts every dialect into its own form before the template sees
    /// it, and a call might load a model and push another one out: it tells its models' abilities itself.
    /// </summary>
    private List<Question> QuestionsFor(string kind) => kind switch
    {
        "ollama" => [OllamaAsync],
        ProfileTable.Generic or "vllm" or "sglang" or "llamacpp" or "tgi" or "litellm" =>
        [
            PlainAsync, StreamAsync, SystemAsync, LateSystemAsync, DeveloperAsync, TwoUsersAsync, ToolsAsync, RequiredAsync, NamedAsync, ParallelAsync,
            AnsweredCallAsync, SchemaAsync, ReasoningAsync, TokenizeAsync,
        ],
        _ => [],
    };

    /// <summary>A plain question, so that a refusal of another one is due to what differs. Models that do not chat are passed over.</summary>
    private async Task<bool> PlainAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        _reason = "no model is known yet";
        foreach (var model in _models)
        {
            _model = model;
            var (verdict, answer) = await AskAsync(client, Body(ProbeMessages.Plain()), cancellationToken);
            if (verdict == ProbeVerdict.No && _limitField == MaxTokensField.MaxTokens && IsOpen("max_tokens_field") && answer.Names("max_completion_tokens"))
            {
                _limitField = MaxTokensField.MaxCompletionTokens;
                (verdict, answer) = await AskAsync(client, Body(ProbeMessages.Plain()), cancellationToken);
            }

            if (verdict == ProbeVerdict.Unknown)
            {
                _model = "";
                return false;
            }

            if (verdict == ProbeVerdict.Yes)
            {
                _plainTokens = answer.PromptTokens;
                if (_limitField != _row.MaxTokensField)
                {
                    Learn("max_tokens_field", "max_completion_tokens");
                }

                return true;
            }

            _limitField = _row.MaxTokensField;
        }

        if (_models.Count > 0)
        {
            _reason = $"no model of the first {_models.Count} answers a plain message";
        }

        _model = "";
        return false;
    }

    private async Task<bool> StreamAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        var body = Body(ProbeMessages.Plain());
        body["stream"] = true;
        body["stream_options"] = new JsonObject { ["include_usage"] = true };
        var (verdict, answer) = await AskAsync(client, body, cancellationToken);
        if (verdict == ProbeVerdict.Yes)
        {
            Found("stream_usage", answer.ReadChunks().Any(c => c.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object) ? Yes : NoWord);
            return true;
        }

        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        var plain = Body(ProbeMessages.Plain());
        plain["stream"] = true;
        (verdict, _) = await AskAsync(client, plain, cancellationToken);
        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        _streams = verdict == ProbeVerdict.Yes;
        Found("stream", _streams ? Yes : NoWord);
        Found("stream_usage", NoWord);
        Learn("stream_options", false);
        if (!_streams)
        {
            Learn("stream", "never");
        }

        return true;
    }

    private async Task<bool> SystemAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        var (verdict, answer) = await AskAsync(client, Body(ProbeMessages.WithSystem()), cancellationToken);
        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        _systemTokens = answer.PromptTokens;
        // A template may leave out in silence what it has no word for.
        var isLost = verdict == ProbeVerdict.Yes && _systemTokens is not null && _systemTokens == _plainTokens;
        _hasSystem = verdict == ProbeVerdict.Yes && !isLost;
        Found("system_role", _hasSystem ? Yes : isLost ? "ignored" : NoWord);
        if (!_hasSystem)
        {
            Learn("no_system_role", true);
        }

        return true;
    }

    private async Task<bool> LateSystemAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasSystem || !IsOpen("system_merge"))
        {
            return true;
        }

        var (verdict, isSeen) = await AskLateAsync(client, "system", cancellationToken);
        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        Found("late_system_message", isSeen ? Yes : verdict == ProbeVerdict.Yes ? "ignored" : NoWord);
        // Other models of the upstream might refuse or lose it; joined with the first one it is safe with all of them.
        if (isSeen && _isOnlyModel && _row.SystemMerge == SystemMerge.All)
        {
            Learn("system_merge", "keep");
        }

        return true;
    }

    /// <summary>Asked where it will stand: a kept developer message stays in its place in the history.</summary>
    private async Task<bool> DeveloperAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasSystem || !IsOpen("developer_role"))
        {
            return true;
        }

        var (verdict, isSeen) = await AskLateAsync(client, "developer", cancellationToken);
        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        if (!isSeen)
        {
            Found("developer_role", verdict == ProbeVerdict.Yes ? "ignored" : NoWord);
            return true;
        }

        // A template that prints whatever role it is given has not learned this one.
        var (anyVerdict, isAnySeen) = await AskLateAsync(client, ProbeMessages.NoRole, cancellationToken);
        if (anyVerdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        Found("developer_role", isAnySeen ? "any role" : Yes);
        if (!isAnySeen && _isOnlyModel)
        {
            Learn("developer_role", "keep");
        }

        return true;
    }

    /// <summary>Whether the server takes instructions in this role in the middle, and whether the model sees them, by the tokens of the prompt.</summary>
    private async Task<(ProbeVerdict Verdict, bool IsSeen)> AskLateAsync(ProbeClient client, string role, CancellationToken cancellationToken)
    {
        var (verdict, answer) = await AskAsync(client, Body(ProbeMessages.WithLateInstruction(role)), cancellationToken);
        return (verdict, verdict == ProbeVerdict.Yes && answer.PromptTokens - _systemTokens >= ProbeMessages.InstructionWords);
    }

    private async Task<bool> TwoUsersAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!IsOpen("alternate_roles"))
        {
            return true;
        }

        var (verdict, _) = await AskAsync(client, Body(ProbeMessages.TwoUsers()), cancellationToken);
        if (verdict == ProbeVerdict.No)
        {
            Learn("alternate_roles", true);
        }

        return Note("consecutive_user_messages", verdict);
    }

    private async Task<bool> ToolsAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        var (verdict, _) = await AskAsync(client, ToolBody(null), cancellationToken);
        _hasTools = verdict == ProbeVerdict.Yes;
        return Note("tools", verdict);
    }

    private async Task<bool> RequiredAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasTools || !IsOpen("required_tool_choice") || _row.RequiredToolChoice != RequiredToolChoice.Native)
        {
            return true;
        }

        var (verdict, _) = await AskAsync(client, ToolBody("required"), cancellationToken);
        if (verdict == ProbeVerdict.No)
        {
            Learn("required_tool_choice", "unsupported");
        }

        return Note("tool_choice_required", verdict);
    }

    private async Task<bool> NamedAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasTools || !IsOpen("named_tool_choice") || _row.NamedToolChoice != NamedToolChoice.Object)
        {
            return true;
        }

        var (verdict, _) = await AskAsync(client, ToolBody(ProbeMessages.NamedChoice()), cancellationToken);
        if (verdict == ProbeVerdict.No)
        {
            Learn("named_tool_choice", "filter");
        }

        return Note("tool_choice_named", verdict);
    }

    private async Task<bool> ParallelAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasTools || !IsOpen("parallel_tool_calls"))
        {
            return true;
        }

        var body = ToolBody(null);
        body["parallel_tool_calls"] = false;
        var (verdict, _) = await AskAsync(client, body, cancellationToken);
        if (verdict != ProbeVerdict.Unknown && (verdict == ProbeVerdict.Yes) != (_row.ParallelToolCalls == Forwarding.Forward))
        {
            Learn("parallel_tool_calls", verdict == ProbeVerdict.Yes ? "forward" : "drop");
        }

        return Note("parallel_tool_calls", verdict);
    }

    /// <summary>A template that prints <c>None</c> for a missing text shows by its tokens that it does.</summary>
    private async Task<bool> AnsweredCallAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!_hasTools || !IsOpen("empty_assistant_content"))
        {
            return true;
        }

        var (empty, emptyAnswer) = await AskAsync(client, AnsweredCallBody(""), cancellationToken);
        if (empty == ProbeVerdict.Unknown)
        {
            return false;
        }

        var (missing, missingAnswer) = await AskAsync(client, AnsweredCallBody(null), cancellationToken);
        if (missing == ProbeVerdict.Unknown)
        {
            return false;
        }

        Found("empty_content_with_calls", Word(empty));
        Found("null_content_with_calls", missing == ProbeVerdict.Yes && missingAnswer.PromptTokens > emptyAnswer.PromptTokens ? "printed" : Word(missing));
        var wanted = (empty, missing) switch
        {
            (ProbeVerdict.Yes, ProbeVerdict.No) => EmptyAssistantContent.Empty,
            (ProbeVerdict.No, ProbeVerdict.Yes) => EmptyAssistantContent.Null,
            (ProbeVerdict.Yes, ProbeVerdict.Yes) when missingAnswer.PromptTokens > emptyAnswer.PromptTokens => EmptyAssistantContent.Empty,
            _ => _row.EmptyAssistantContent,
        };
        if (wanted != _row.EmptyAssistantContent)
        {
            Learn("empty_assistant_content", wanted == EmptyAssistantContent.Empty ? "empty" : "null");
        }

        return true;
    }

    private async Task<bool> SchemaAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (!IsOpen("json_schema"))
        {
            return true;
        }

        var (schema, _) = await AskAsync(client, FormatBody(ProbeMessages.Schema()), cancellationToken);
        if (schema != ProbeVerdict.No)
        {
            return Note("json_schema", schema);
        }

        var (json, _) = await AskAsync(client, FormatBody(ProbeMessages.JsonFormat()), cancellationToken);
        if (json == ProbeVerdict.Unknown)
        {
            return false;
        }

        Found("json_schema", NoWord);
        Learn("json_schema", json == ProbeVerdict.Yes ? "json_object_plus_prompt" : "none");
        return Note("json_object", json);
    }

    /// <summary>No question of its own: the answers so far name the member, even where it is null.</summary>
    private Task<bool> ReasoningAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (_reasoning.Name is { } field && IsOpen("reasoning_in"))
        {
            Found("reasoning_field", field);
            var wanted = field == "reasoning" ? ReasoningIn.Reasoning : ReasoningIn.ReasoningContent;
            // A row that sends reasoning back names the member of its newest version; others start only with a server that did reason.
            var sends = _row.ReasoningIn is ReasoningIn.Reasoning or ReasoningIn.ReasoningContent;
            if (wanted != _row.ReasoningIn && (sends || (_row.ReasoningIn == ReasoningIn.None && _reasoning.HadText)))
            {
                Learn("reasoning_in", field);
            }
        }

        return Task.FromResult(true);
    }

    private async Task<bool> TokenizeAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        var answer = await client.PostOwnAsync("/tokenize", ProbeMessages.Tokenize(_model), cancellationToken);
        if (answer.Verdict is ProbeVerdict.Unknown && answer.Status is not (401 or 403))
        {
            _reason = answer.Why;
            return false;
        }

        var json = answer.IsSuccess ? answer.ReadJson() : default;
        var isList = json.ValueKind == JsonValueKind.Array || (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("tokens", out _));
        Found("tokenize_endpoint", isList ? Yes : NoWord);
        return true;
    }

    private async Task<bool> OllamaAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (_models.Count == 0)
        {
            _reason = "no model is known yet";
            return false;
        }

        var answer = await client.PostOwnAsync("/api/show", new JsonObject { ["model"] = _models[0] }, cancellationToken);
        if (answer.Verdict == ProbeVerdict.Unknown)
        {
            _reason = answer.Why;
            return false;
        }

        _model = _models[0];
        var json = answer.IsSuccess ? answer.ReadJson() : default;
        if (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("capabilities", out var list) && list.ValueKind == JsonValueKind.Array)
        {
            bool Has(string name) => list.EnumerateArray().Any(c => c.ValueKind == JsonValueKind.String && c.ValueEquals(name));
            Found("tools", Has("tools") ? Yes : NoWord);
            Found("reasoning", Has("thinking") ? Yes : NoWord);
            Found("images", Has("vision") ? Yes : NoWord);
        }

        return true;
    }

    private bool IsOpen(string key) => !_overrides.ContainsKey(key);

    private void Learn(string key, JsonNode value)
    {
        if (IsOpen(key))
        {
            _learned[key] = value;
        }
    }

    private void Found(string capability, string what) => _capabilities.Add(new(capability, what));

    private bool Note(string capability, ProbeVerdict verdict)
    {
        if (verdict == ProbeVerdict.Unknown)
        {
            return false;
        }

        Found(capability, Word(verdict));
        return true;
    }

    private static string Word(ProbeVerdict verdict) => verdict == ProbeVerdict.Yes ? Yes : NoWord;

    private JsonObject Body(JsonArray messages)
    {
        var body = new JsonObject
        {
            ["model"] = _model,
            ["messages"] = messages,
            [_limitField == MaxTokensField.MaxTokens ? "max_tokens" : "max_completion_tokens"] = 1,
        };
        // What the operator has set for every request holds for these too.
        foreach (var (name, value) in _row.ExtraBody)
        {
            body[name] = value?.DeepClone();
        }

        foreach (var name in _row.DropParams)
        {
            body.Remove(name);
        }

        return body;
    }

    /// <summary>Streamed where the server streams: it says no before the first chunk, and a call that one token cuts off is no error there.</summary>
    private JsonObject StreamBody(JsonArray messages)
    {
        var body = Body(messages);
        if (_streams)
        {
            body["stream"] = true;
        }

        return body;
    }

    private JsonObject ToolBody(JsonNode? choice)
    {
        var body = StreamBody(ProbeMessages.Plain());
        body["tools"] = ProbeMessages.Tools();
        if (choice is not null)
        {
            body["tool_choice"] = choice;
        }

        return body;
    }

    private JsonObject AnsweredCallBody(string? content)
    {
        var body = Body(ProbeMessages.AnsweredCall(content));
        body["tools"] = ProbeMessages.Tools();
        return body;
    }

    private JsonObject FormatBody(JsonObject format)
    {
        var body = StreamBody(ProbeMessages.Plain());
        body["response_format"] = format;
        return body;
    }

    /// <summary>One call. A 500 is repeated once: some servers fail so at what they can not render, and any server may fail by chance.</summary>
    private async Task<(ProbeVerdict Verdict, ProbeAnswer Answer)> AskAsync(ProbeClient client, JsonObject body, CancellationToken cancellationToken)
    {
        var answer = ProbeAnswer.None("too many calls");
        for (var tries = 0; tries < 2 && _callsOfRun < MaxCalls; tries++)
        {
            _calls++;
            _callsOfRun++;
            answer = await client.ChatAsync(body, cancellationToken);
            if (answer.Status != 500)
            {
                break;
            }
        }

        var verdict = answer.Verdict;
        if (verdict == ProbeVerdict.Unknown)
        {
            _reason = answer.Why;
        }
        else
        {
            _reasoning.See(answer);
        }

        return (verdict, answer);
    }
}
