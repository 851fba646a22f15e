using System.Text.Json.Serialization;

namespace Gateway.Upstream.Demo;

[JsonSerializable(typeof(string))]
internal sealed partial class DemoJson : JsonSerializerContext;
