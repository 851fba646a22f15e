using System.Text.Json.Nodes;

namespace Gateway.Testing.Scripting;

/// <summary>How a server answers a request. Rules that look at the request (a role it rejects, the stream flag) are reactions.</summary>
public delegate ChatScript ChatReaction(JsonObject request);
