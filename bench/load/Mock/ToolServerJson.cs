using System.Text.Json.Serialization;

namespace Gateway.Load.Mock;

[JsonSerializable(typeof(ToolServerCounters))]
internal sealed partial class ToolServerJson : JsonSerializerContext;
