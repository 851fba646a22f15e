namespace Gateway.Check;

/// <summary>The cases, in the order in which they are run. <c>docs/check.md</c> has a row for each.</summary>
internal static class CheckCases
{
    /// <summary>The one that needs nothing but a gateway that is up.</summary>
    public const string Health = "health";

    public static IReadOnlyList<CheckCase> All { get; } =
    [
        new(Health, ServiceCases.HealthAsync) { NeedsModel = false },
        new("models", ServiceCases.ModelsAsync) { NeedsModel = false },
        new("basic", AnswerCases.BasicAsync),
        new("stream", AnswerCases.StreamAsync),
        new("function_call", AnswerCases.FunctionCallAsync),
        new("structured_output", AnswerCases.StructuredOutputAsync),
        new("reasoning", AnswerCases.ReasoningAsync),
        new("images", AnswerCases.ImagesAsync),
        new("chain", StateCases.ChainAsync),
        new("store_false", StateCases.StoreFalseAsync),
        new("delete", StateCases.DeleteAsync),
        new("concurrency", StateCases.ConcurrencyAsync),
        new("background", BackgroundCases.BackgroundAsync),
        new("cancel", BackgroundCases.CancelAsync),
        new("input_tokens", ServiceCases.InputTokensAsync),
        new("bad_input", ServiceCases.BadInputAsync),
        new("unknown_model", ServiceCases.UnknownModelAsync) { NeedsModel = false },
        new("base_paths", ServiceCases.BasePathsAsync),
    ];
}
