using System.Text.Json.Nodes;

namespace Gateway.Protocol.Translation;

/// <summary>What a profile does with the <c>developer</c> role, which few chat templates know.</summary>
public enum DeveloperRole { System, Keep }

/// <summary>
/// Where system messages after the first go: into the first one, or (leading) in place as a marked user message, or (keep) in place as they
/// are, for templates that take them anywhere.
/// </summary>
public enum SystemMerge { All, Leading, Keep }

/// <summary>What <c>content</c> is on an assistant message that has tool calls and no text.</summary>
public enum EmptyAssistantContent { Null, Empty, Omit }

/// <summary>How the content of a <c>tool</c> message is sent: one string, or an array of parts.</summary>
public enum ToolContent { String, Parts }

/// <summary>The name of the output token limit.</summary>
public enum MaxTokensField { MaxTokens, MaxCompletionTokens }

/// <summary>The member that carries earlier reasoning back to the server.</summary>
public enum ReasoningIn { None, Reasoning, ReasoningContent, ThinkTags }

/// <summary>When earlier reasoning is sent back: never, while a tool loop is open, or always.</summary>
public enum ReasoningReplay { Never, ToolLoop, All }

/// <summary>How <c>reasoning.effort</c> is told to the server.</summary>
public enum ReasoningEffort { Drop, ReasoningEffort, EnableThinking }

/// <summary>Which tool call ids are sent: those the server made, 9-character hashes (Mistral), or the position.</summary>
public enum ToolCallIds { Keep, Short9, Index }

/// <summary>How a choice of one named tool is sent: as the API's object, or by sending only that tool and requiring it.</summary>
public enum NamedToolChoice { Object, Filter }

/// <summary>What the server makes of <c>tool_choice: "required"</c>.</summary>
public enum RequiredToolChoice { Native, FilterRetry, Unsupported }

/// <summary>Whether an optional member is sent on or left out.</summary>
public enum Forwarding { Drop, Forward }

/// <summary>
/// How a JSON schema for the answer is sent: as it is; as a plain JSON format with the schema in the prompt; or (none) in the prompt alone, for
/// servers without any format.
/// </summary>
public enum JsonSchemaMode { ResponseFormat, JsonObjectPlusPrompt, None }

/// <summary>What happens to an image given as an http(s) URL: passed on, fetched by the gateway and sent as a data URL, or refused.</summary>
public enum ImageUrls { Pass, Inline, Reject }

/// <summary>Which kind of call the server gets: what the client asked for, or always one kind.</summary>
public enum StreamMode { Client, Always, Never }

/// <summary>The endpoint by which a server counts the tokens of a prompt, named after the server that has it (upstream reference, section 12).</summary>
public enum Tokenizer { None, Vllm, Llamacpp, Tgi, Sglang, Litellm }

/// <summary>
/// What one kind of Chat Completions server wants to be sent. Profiles are data: they steer only what is sent; what comes back is read by
/// one reader that takes every shape.
/// </summary>
public sealed record RouteProfile
{
    /// <summary>The profile that suits an unknown server: the lowest common denominator.</summary>
    public static RouteProfile Generic { get; } = new();

    /// <summary>The profile's name, as in <c>Gateway:Upstreams:&lt;name&gt;:Profile</c>.</summary>
    public string Name { get; init; } = "generic";

    public DeveloperRole DeveloperRole { get; init; } = DeveloperRole.System;

    public SystemMerge SystemMerge { get; init; } = SystemMerge.All;

    /// <summary>Merge neighbouring messages of one role, for templates that demand alternation.</summary>
    public bool AlternateRoles { get; init; }

    /// <summary>The model's template has no system role at all: system text goes before the first user message.</summary>
    public bool NoSystemRole { get; init; }

    public EmptyAssistantContent EmptyAssistantContent { get; init; } = EmptyAssistantContent.Null;

    public ToolContent ToolContent { get; init; } = ToolContent.String;

    public MaxTokensField MaxTokensField { get; init; } = MaxTokensField.MaxTokens;

    public ReasoningIn ReasoningIn { get; init; } = ReasoningIn.None;

    public ReasoningReplay ReasoningReplay { get; init; } = ReasoningReplay.ToolLoop;

    public ReasoningEffort ReasoningEffort { get; init; } = ReasoningEffort.Drop;

    /// <summary>The efforts the server knows, from none to max; others are sent as the nearest of these. Empty: all are known.</summary>
    public IReadOnlyList<string> ReasoningEfforts { get; init; } = [];

    /// <summary>The template refuses text and reasoning together on a message with tool calls (gpt-oss): reasoning is dropped there.</summary>
    public bool ContentExcludesReasoning { get; init; }

    /// <summary>Open and close tags of reasoning inside the text, alternating; empty to leave tags in the text.</summary>
    public IReadOnlyList<string> ReasoningTags { get; init; } = ["<think>", "</think>"];

    /// <summary>The template already opened the first reasoning tag: text starts as reasoning until the close tag.</summary>
    public bool ReasoningImplicitOpen { get; init; }

    public ToolCallIds ToolCallId { get; init; } = ToolCallIds.Keep;

    public NamedToolChoice NamedToolChoice { get; init; } = NamedToolChoice.Object;

    public RequiredToolChoice RequiredToolChoice { get; init; } = RequiredToolChoice.Native;

    public Forwarding ParallelToolCalls { get; init; } = Forwarding.Drop;

    public Forwarding StrictFunctions { get; init; } = Forwarding.Drop;

    public Forwarding Verbosity { get; init; } = Forwarding.Drop;

    /// <summary>Send <c>user</c>, <c>safety_identifier</c> and <c>prompt_cache_key</c> on.</summary>
    public Forwarding Identity { get; init; } = Forwarding.Drop;

    /// <summary>Send members that are not of the Responses API (<c>seed</c>, <c>stop</c>, <c>top_k</c>, …) on.</summary>
    public Forwarding ExtraParameters { get; init; } = Forwarding.Forward;

    public JsonSchemaMode JsonSchema { get; init; } = JsonSchemaMode.ResponseFormat;

    /// <summary>The server takes a schema and tools in one request. When not, the schema is left out while tools are offered.</summary>
    public bool JsonSchemaWithTools { get; init; } = true;

    /// <summary>Ask for usage on streams by <c>stream_options</c>.</summary>
    public bool StreamOptions { get; init; } = true;

    /// <summary>The server streams tool calls properly. When not, requests with tools are made without streaming.</summary>
    public bool StreamWithTools { get; init; } = true;

    public StreamMode Stream { get; init; } = StreamMode.Client;

    public ImageUrls ImageUrls { get; init; } = ImageUrls.Pass;

    /// <summary>Send the <c>detail</c> of an image.</summary>
    public bool ImageDetail { get; init; }

    /// <summary>The server takes <c>file</c> parts. When not, text files are sent as text and others are refused.</summary>
    public bool FileParts { get; init; }

    /// <summary>History holds calls but the request has no tools: send the tools of the chain again with <c>tool_choice: "none"</c>.</summary>
    public bool ToolsWithHistory { get; init; }

    /// <summary>An empty answer without an error means that the context was too long (LM Studio, Ollama).</summary>
    public bool EmptyIsContextError { get; init; }

    /// <summary>How the server counts the tokens of a prompt without answering it.</summary>
    public Tokenizer Tokenizer { get; init; } = Tokenizer.None;

    /// <summary>The tokens that prompt and answer may have together; null when only the server knows.</summary>
    public int? ContextWindow { get; init; }

    /// <summary>
    /// The server cuts a prompt that is too long and says nothing (Ollama). With a known <see cref="ContextWindow"/> the gateway refuses or
    /// shortens such a prompt before it is sent.
    /// </summary>
    public bool CutsSilently { get; init; }

    /// <summary>Members merged into every request, over those the gateway wrote.</summary>
    public JsonObject ExtraBody { get; init; } = [];

    /// <summary>Members never sent.</summary>
    public IReadOnlyList<string> DropParams { get; init; } = [];

    /// <summary>Regular expressions that mark an error message as "context too long", added to the built-in ones.</summary>
    public IReadOnlyList<string> ContextErrorPatterns { get; init; } = [];
}
