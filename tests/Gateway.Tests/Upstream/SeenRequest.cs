using System.Text;

namespace Gateway.Tests.Upstream;

internal sealed record SeenRequest(string Path, byte[] Body, IReadOnlyDictionary<string, string> Headers)
{
    public string Text => Encoding.UTF8.GetString(Body);
}
