namespace Gateway.Testing;

/// <summary>A gateway logged errors that its test did not expect.</summary>
public sealed class UnexpectedErrorsException(IReadOnlyList<CollectedLog> errors)
    : Exception($"The gateway logged errors that the test does not allow:\n{string.Join('\n', errors)}");
