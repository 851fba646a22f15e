namespace Gateway.Protocol.Tests.Translation;

/// <summary>What a client gets of one played round, and what the gateway keeps of it.</summary>
/// <param name="Events">The event stream as it stands on the wire; empty when the round failed before anything was told.</param>
/// <param name="Final">The final response object, or the error body of a round that failed before anything was told.</param>
/// <param name="Calls">Each call's place in the output, its id for the client, and its id for the server.</param>
internal sealed record PlayedRound(string Events, string Final, string Calls);
