namespace PythonTool;

/// <summary>The server can not start here, or not as it is configured. The message is for the operator and says what to change.</summary>
internal sealed class StartupException(string message) : Exception(message);
