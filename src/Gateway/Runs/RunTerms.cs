namespace Gateway.Runs;

/// <summary>What kind of run a request becomes.</summary>
/// <param name="IsBackground">The client asked for a background response.</param>
/// <param name="KeepsEvents">It can be followed as a stream.</param>
/// <param name="Window">How long it goes on with nobody following it; null for ever.</param>
/// <param name="IsKeyed">It came with an <c>Idempotency-Key</c>: its events are kept as long as the key.</param>
internal readonly record struct RunTerms(bool IsBackground, bool KeepsEvents, TimeSpan? Window, bool IsKeyed);
