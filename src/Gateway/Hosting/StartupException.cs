namespace Gateway.Hosting;

/// <summary>The gateway can not start as it is configured. The message is for the operator and says what to change.</summary>
internal sealed class StartupException(string message) : Exception(message);
