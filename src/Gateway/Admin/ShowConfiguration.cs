using System.Text.Json;
using Gateway.Hosting;
using Gateway.Policy;

namespace Gateway.Admin;

/// <summary><c>GET /admin/configuration</c>: the keys below <c>Gateway</c> as this replica reads them, defaults included and secrets hidden.</summary>
internal sealed class ShowConfiguration(
    TenantDirectory tenants, IConfiguration configuration, IEnumerable<KnownSection> sections, ILogger<ShowConfiguration> logger) : AdminView(tenants, logger)
{
    private readonly IReadOnlyList<KnownSection> _sections = [.. sections];

    protected override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("object", "configuration");
        json.WritePropertyName("gateway");
        ConfigurationView.Write(json, configuration, _sections);
        json.WriteEndObject();
    }
}
