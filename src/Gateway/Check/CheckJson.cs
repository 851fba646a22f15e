using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.Check;

/// <summary>Writes what a check found for machines (docs/check.md).</summary>
internal static class CheckJson
{
    // It goes to a terminal or a file, never into HTML.
    private static readonly JsonWriterOptions Options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Render(CheckReport report)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("object", "gateway.check");
            json.WriteString("url", report.Url);
            json.WriteString("model", report.Model);
            json.WriteString("result", report.WasInterrupted ? "interrupted" : report.IsGood ? "pass" : "fail");
            json.WriteStartArray("cases");
            foreach (var row in report.Cases)
            {
                json.WriteStartObject();
                json.WriteString("name", row.Name);
                json.WriteString("result", CheckTable.Word(row.Outcome.Result));
                json.WriteNumber("seconds", Math.Round(row.Duration.TotalSeconds, 3));
                json.WriteString("detail", row.Outcome.Detail);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("still_stored");
            foreach (var id in report.Left)
            {
                json.WriteStringValue(id);
            }

            json.WriteEndArray();
            WriteUpstreams(json, report.Upstreams);
            json.WriteString("upstreams_problem", report.UpstreamsProblem);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteUpstreams(Utf8JsonWriter json, IReadOnlyList<UpstreamReport>? upstreams)
    {
        if (upstreams is null)
        {
            json.WriteNull("upstreams");
            return;
        }

        json.WriteStartArray("upstreams");
        foreach (var upstream in upstreams)
        {
            json.WriteStartObject();
            json.WriteString("name", upstream.Name);
            json.WriteString("profile", upstream.Profile);
            json.WriteString("probe", upstream.Probe);
            json.WriteString("server", upstream.Server);
            json.WriteNumber("destinations", upstream.Destinations);
            json.WriteNumber("available", upstream.Available);
            json.WriteStartObject("capabilities");
            foreach (var (name, value) in upstream.Capabilities)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
