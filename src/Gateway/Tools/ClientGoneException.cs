namespace Gateway.Tools;

/// <summary>The client closed the connection while its response was being written. No error: nobody is left to tell.</summary>
internal sealed class ClientGoneException(CancellationToken token) : OperationCanceledException("The client closed the connection.", token);
