namespace Gateway.Upstream;

/// <summary>Says whose request it is. Without one all are one tenant's.</summary>
internal delegate string PassthroughTenant(HttpContext context);
