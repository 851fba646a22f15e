using Gateway.Protocol.Responses;
using Microsoft.Extensions.Options;

namespace Gateway.Tools.Hosted;

/// <summary>The hosted tools that the operator has bound.</summary>
internal sealed class HostedTools
{
    private readonly Dictionary<string, HostedBinding> _bindings = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tool> _tools = new(StringComparer.Ordinal);

    public HostedTools(IOptions<ToolsOptions> options, NamedServers servers)
    {
        foreach (var (type, binding) in options.Value.Bindings)
        {
            var form = HostedForm.Find(type)!;
            foreach (var requestType in form.RequestTypes)
            {
                _bindings[requestType] = new HostedBinding(form, binding, servers.Find(binding.Server!)!.Server);
                _tools[requestType] = new Tool
                {
                    Kind = ToolKind.Hosted,
                    Name = requestType,
                    UpstreamName = form.Type,
                    Description = binding.Description ?? form.Description,
                    Parameters = form.Schema(),
                };
            }
        }
    }

    /// <summary>The tools as the model sees them, by the types that requests name.</summary>
    public IReadOnlyDictionary<string, Tool> Tools => _tools;

    /// <summary>The binding of a tool; null for one that is no hosted tool.</summary>
    public HostedBinding? Find(Tool tool) => tool.Kind == ToolKind.Hosted ? _bindings.GetValueOrDefault(tool.Name) : null;
}
