using System.Text.Json;

namespace Gateway.Upstream.Probing;

/// <summary>Which member of a message a server puts its reasoning in, as far as its answers have shown: an empty member names itself too.</summary>
internal sealed class ReasoningMember
{
    private static readonly string[] Known = ["reasoning_content", "reasoning"];

    /// <summary>The member's name; null when none was seen.</summary>
    public string? Name { get; private set; }

    /// <summary>The member held a text.</summary>
    public bool HadText { get; private set; }

    public void See(ProbeAnswer answer)
    {
        foreach (var chunk in answer.ReadChunks())
        {
            if (!chunk.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array)
            {
                continue;
            }

            foreach (var choice in choices.EnumerateArray())
            {
                if (choice.ValueKind == JsonValueKind.Object
                    && (choice.TryGetProperty("message", out var message) || choice.TryGetProperty("delta", out message)) && message.ValueKind == JsonValueKind.Object)
                {
                    See(message);
                }
            }
        }
    }

    private void See(JsonElement message)
    {
        foreach (var name in Known)
        {
            if (!message.TryGetProperty(name, out var value))
            {
                continue;
            }

            // A text says more than an empty member beside it.
            var hasText = value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 };
            if (Name is null || (hasText && !HadText))
            {
                Name = name;
                HadText |= hasText;
            }
        }
    }
}
