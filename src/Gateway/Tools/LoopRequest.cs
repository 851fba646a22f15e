using System.Security.Cryptography;
using System.Text;
using Gateway.Egress;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>What the tool loop works on.</summary>
internal sealed class LoopRequest
{
    public required ResponsesRequest Request { get; init; }

    public required Dialect Dialect { get; init; }

    /// <summary>Whose request it is.</summary>
    public required string Tenant { get; init; }

    /// <summary>The guard between the tenant and the servers that its tools are on.</summary>
    public required EgressScope Egress { get; init; }

    /// <summary>The model by the client's name.</summary>
    public required string Model { get; init; }

    /// <summary>Every item the model must see, oldest first, references resolved.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>How many of <see cref="Items"/> are the chain's; the rest are the request's own.</summary>
    public required int ChainItems { get; init; }

    /// <summary>What is remembered of the chain's calls.</summary>
    public required CallNotes Notes { get; init; }

    /// <summary>The most server-run calls of the response.</summary>
    public required int MaxToolCalls { get; init; }

    /// <summary>Opens sealed reasoning, or null when it is not ours.</summary>
    public required Func<string, string?> OpenSealedReasoning { get; init; }

    /// <summary>The tools of the chain, for servers that want them whenever the history holds calls.</summary>
    public required Func<IReadOnlyList<Tool>> ReadHistoryTools { get; init; }

    /// <summary>Takes approvals for this response. One id can be taken once, by one response on any replica.</summary>
    public required IApprovalClaims Approvals { get; init; }

    /// <summary>Requests with one key prefer one destination: the tenant with the prompt cache key, conversation or chain.</summary>
    public string? AffinityKey { get; init; }

    /// <summary>The chain, or the conversation, that the response is in.</summary>
    public required string Chain { get; init; }

    /// <summary>
    /// Names the chain to tool servers that keep something for it, such as a Python session. It tells nothing of the chain, and nobody else knows it.
    /// </summary>
    public string Session => field ??= Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Tenant}/{Chain}")).AsSpan(0, 16));

    /// <summary>What was done already, and where it is kept.</summary>
    public required ILoopJournal Journal { get; init; }

    /// <summary>Only what was done already is told: the loop ends as interrupted before it would do anything new.</summary>
    public bool OnlyRestores { get; init; }
}
