namespace Gateway.Store;

/// <summary>Names a run: the response that it makes, and whose it is.</summary>
internal readonly record struct RunKey(string Tenant, ResponseId Id);
