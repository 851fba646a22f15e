using System.Collections.Frozen;

namespace Gateway.Protocol.Responses;

/// <summary>The names and closed sets of values of a request's top level.</summary>
internal static class RequestFields
{
    public static readonly string[] Truncations = ["auto", "disabled"];
    public static readonly string[] ServiceTiers = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

    /// <summary>The reference writes the first with an underscore, stock SDKs send it with a dash.</summary>
    public static readonly string[] CacheRetentions = ["in_memory", "in-memory", "24h"];

    /// <summary>Refused whenever they are sent and not null: each waits for a feature behind it.</summary>
    public static readonly string[] Unserved = ["prompt", "moderation"];

    public static readonly FrozenDictionary<string, Includes> IncludeValues = new Dictionary<string, Includes>
    {
        ["message.output_text.logprobs"] = Includes.Logprobs,
        ["reasoning.encrypted_content"] = Includes.EncryptedReasoning,
        ["message.input_image.image_url"] = Includes.InputImageUrls,
        ["computer_call_output.output.image_url"] = Includes.ComputerOutputImageUrls,
        ["file_search_call.results"] = Includes.FileSearchResults,
        ["web_search_call.results"] = Includes.WebSearchResults,
        ["web_search_call.action.sources"] = Includes.WebSearchSources,
        ["code_interpreter_call.outputs"] = Includes.CodeInterpreterOutputs,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The members of a <c>conversation</c> that is an object.</summary>
    public static readonly FrozenSet<string> Conversation = FrozenSet.Create(StringComparer.Ordinal, "id");

    /// <summary>The bodies of requests for conversations: to make one, to change one, to add items to one.</summary>
    public static readonly FrozenSet<string> ConversationStart = FrozenSet.Create(StringComparer.Ordinal, "items", "metadata");

    public static readonly FrozenSet<string> ConversationUpdate = FrozenSet.Create(StringComparer.Ordinal, "metadata");

    public static readonly FrozenSet<string> ConversationItems = FrozenSet.Create(StringComparer.Ordinal, "items");

    public static readonly FrozenSet<string> StreamOptions = FrozenSet.Create(StringComparer.Ordinal, "include_obfuscation");

    public static readonly FrozenSet<string> ContextManagement = FrozenSet.Create(StringComparer.Ordinal, "type", "compact_threshold");

    /// <summary>Members that are no part of the Responses API but that servers know; sent on where the profile allows it.</summary>
    public static readonly string[] Extras =
    [
        "seed", "stop", "stop_token_ids", "bad_words", "ignore_eos", "min_tokens", "logit_bias",
        "top_k", "top_a", "min_p", "typical_p", "repetition_penalty", "repeat_penalty", "length_penalty", "no_repeat_ngram_size",
        "mirostat", "mirostat_tau", "mirostat_eta", "dry_multiplier", "dry_base", "dry_allowed_length", "xtc_probability", "xtc_threshold",
        "skip_special_tokens", "spaces_between_special_tokens", "include_stop_str_in_output", "separate_reasoning", "reasoning_format",
        "thinking", "thinking_budget", "enable_thinking", "chat_template_kwargs", "structured_outputs", "guided_json", "guided_regex",
        "guided_choice", "guided_grammar", "grammar", "cache_prompt", "keep_alive", "num_ctx", "priority", "context_length_exceeded_behavior",
    ];

    /// <summary>Every member of the top level that means something here; others are ignored, or refused in strict mode.</summary>
    public static readonly FrozenSet<string> Known = FrozenSet.Create(
        StringComparer.Ordinal,
        [
            "model", "input", "instructions", "previous_response_id", "conversation", "store", "background", "stream", "stream_options",
            "include", "metadata", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "presence_penalty", "frequency_penalty",
            "top_logprobs", "parallel_tool_calls", "text", "reasoning", "truncation", "tools", "tool_choice", "service_tier",
            "safety_identifier", "user", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "prompt",
            "context_management", "moderation", "generate",

            // Accepted without any effect.
            "access_programs", "image", "personality", "stream_id", "client_metadata",
            .. Extras,
        ]);
}
