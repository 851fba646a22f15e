using System.Text.Json.Nodes;

namespace Gateway.FunctionalTests.Store;

/// <summary>A request to a gateway on a corpus, and what came of it when the corpus was recorded.</summary>
internal sealed record CorpusExchange(string Method, string Path)
{
    public string? Body { get; init; }

    /// <summary>The <c>Idempotency-Key</c>.</summary>
    public string? Key { get; init; }

    public int Status { get; init; }

    /// <summary>What the answer must have: its members, whatever others a later version adds. Null where it has new ids.</summary>
    public JsonNode? Answer { get; init; }

    /// <summary>Every byte of the answer, of an event stream.</summary>
    public string? Stream { get; init; }

    /// <summary>The messages that the model server must get for it; null when it must not be asked.</summary>
    public JsonNode? Asked { get; init; }

    /// <summary>What it makes has new ids.</summary>
    public bool MakesNew { get; init; }
}
