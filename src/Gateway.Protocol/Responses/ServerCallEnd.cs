namespace Gateway.Protocol.Responses;

/// <summary>How a server-run call ended: <c>incomplete</c> is one that never ran, because the model was cut off in the middle of it.</summary>
public enum ServerCallEnd { Completed, Failed, Incomplete }
