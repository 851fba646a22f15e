using System.Diagnostics;
using System.Globalization;

namespace Gateway.Hosting;

/// <summary>Names each request, and tells how long it took until its response began.</summary>
internal sealed class RequestIdMiddleware(RequestDelegate next, TimeProvider time)
{
    private const int RandomBytes = 16;

    public Task InvokeAsync(HttpContext context)
    {
        // Always our own: a client's or an upstream's text in our logs could be made to look like anything.
        context.TraceIdentifier = NewId();
        var started = time.GetTimestamp();
        // Written when the response starts, so that a header which an upstream sent on a passed-through call is replaced, not doubled.
        context.Response.OnStarting(
            static state =>
            {
                var (response, time, started) = ((HttpResponse, TimeProvider, long))state;
                response.Headers["x-request-id"] = response.HttpContext.TraceIdentifier;
                response.Headers["openai-version"] = "2020-10-01";
                response.Headers["openai-processing-ms"] =
                    ((long)time.GetElapsedTime(started).TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
                return Task.CompletedTask;
            },
            (context.Response, time, started));
        return next(context);
    }

    private static string NewId()
    {
        Span<byte> random = stackalloc byte[RandomBytes];
        // A name for logs, no secret: the fast generator will do.
        Random.Shared.NextBytes(random);
        Span<char> text = stackalloc char[4 + (RandomBytes * 2)];
        "req_".CopyTo(text);
        var done = Convert.TryToHexStringLower(random, text[4..], out _);
        Debug.Assert(done, "The text has room for the digits.");
        return new string(text);
    }
}
