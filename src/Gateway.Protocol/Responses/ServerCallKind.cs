namespace Gateway.Protocol.Responses;

/// <summary>The form that a server-run call has for clients: its item and its events.</summary>
public enum ServerCallKind { Mcp, WebSearch, FileSearch, CodeInterpreter, ImageGeneration }
