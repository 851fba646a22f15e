using Gateway.Protocol.Responses;
namespace Gateway.Protocol.Translation;
public static class ToolNames { public static Tool? Find(IReadOnlyList<Tool> tools, string name) => tools.FirstOrDefault(t => t.UpstreamName == name); }
