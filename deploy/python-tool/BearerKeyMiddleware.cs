using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace PythonTool;

/// <summary>Lets through who has the key. Pages in a browser are never let through: they could reach a server on loopback that has none.</summary>
internal sealed class BearerKeyMiddleware(RequestDelegate next, IOptions<PythonToolOptions> options)
{
    private const string Scheme = "Bearer ";

    // Hashes have one length, and nobody can choose the hash of what they send: the time a comparison takes tells nothing.
    private readonly byte[]? _key = options.Value.Key.Length == 0 ? null : Hash(options.Value.Key);

    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Path.StartsWithSegments("/health"))
        {
            return next(context);
        }

        if (context.Request.Headers.Origin.Count > 0)
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return Task.CompletedTask;
        }

        if (_key is not null && !HasKey(context.Request.Headers.Authorization.ToString()))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Task.CompletedTask;
        }

        return next(context);
    }

    private bool HasKey(string authorization) =>
        authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
        && CryptographicOperations.FixedTimeEquals(_key, Hash(authorization[Scheme.Length..].Trim()));

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
