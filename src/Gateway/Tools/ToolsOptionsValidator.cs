using System.Globalization;
using Gateway.Protocol.Responses;
using Gateway.Tools.Hosted;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.Options;

namespace Gateway.Tools;

internal sealed class ToolsOptionsValidator : IValidateOptions<ToolsOptions>
{
    public ValidateOptionsResult Validate(string? name, ToolsOptions options)
    {
        List<string> failures = [];
        Check("MaxRounds", options.MaxRounds, 1, 1_000, failures);
        Check("ParallelCalls", options.ParallelCalls, 1, 100, failures);
        Check("RepeatedCalls", options.RepeatedCalls, 1, 1_000, failures);
        Check("OutputBytes", options.OutputBytes, 1024, 64 * 1024 * 1024, failures);
        CheckServers(options, failures);
        CheckBindings(options, failures);
        CheckMcp(options.Mcp, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void CheckServers(ToolsOptions options, List<string> failures)
    {
        foreach (var (label, server) in options.Servers)
        {
            var key = $"{ToolsOptions.Section}:Servers:{label}";
            if (label.Length is 0 or > ToolNames.MaxLength || !label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-'))
            {
                failures.Add($"{key}: a label is 1 to {ToolNames.MaxLength} letters, digits, '_' and '-'.");
            }

            if (!Uri.TryCreate(server.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            {
                failures.Add($"{key}:Url is '{server.Url}': it must be an absolute http or https URL.");
            }

            if (server is { ApiKey: not null, ApiKeyFile: not null })
            {
                failures.Add($"{key} has both ApiKey and ApiKeyFile: give one.");
            }
            else if (server.ApiKeyFile is { } file && !File.Exists(file))
            {
                failures.Add($"{key}:ApiKeyFile is '{file}': there is no such file.");
            }

            if (!server.Requests && !options.Bindings.Values.Any(binding => binding.Server == label))
            {
                failures.Add($"{key}:Requests is false and no binding uses the server: nothing could use it.");
            }
        }
    }

    private static void CheckBindings(ToolsOptions options, List<string> failures)
    {
        foreach (var (type, binding) in options.Bindings)
        {
            var key = $"{ToolsOptions.Section}:Bindings:{type}";
            if (HostedForm.Find(type) is not { } form)
            {
                failures.Add($"{key}: the types that can be bound are {string.Join(", ", HostedForm.Types)}.");
                continue;
            }

            if (binding.Server is null || !options.Servers.ContainsKey(binding.Server))
            {
                failures.Add($"{key}:Server is '{binding.Server}': it must be the label of one of {ToolsOptions.Section}:Servers.");
            }

            if (string.IsNullOrEmpty(binding.Tool))
            {
                failures.Add($"{key}:Tool is missing: it must name a tool of the server.");
            }

            foreach (var (name, source) in binding.Arguments)
            {
                if (source != form.Argument && !source.StartsWith('=') && !source.StartsWith("tool.", StringComparison.Ordinal))
                {
                    failures.Add($"{key}:Arguments:{name} is '{source}': it must be '{form.Argument}', 'tool.' and a member of the tool, or '=' and a text.");
                }
            }
        }
    }

    private static void CheckMcp(McpOptions mcp, List<string> failures)
    {
        Check("Mcp:ConnectTimeout", mcp.ConnectTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(5), failures);
        Check("Mcp:ListTimeout", mcp.ListTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(5), failures);
        Check("Mcp:CallTimeout", mcp.CallTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromHours(1), failures);
        Check("Mcp:IdleTime", mcp.IdleTime, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), failures);
        Check("Mcp:ConnectionLife", mcp.ConnectionLife, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check("Mcp:ListAge", mcp.ListAge, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check("Mcp:MaxConnections", mcp.MaxConnections, 1, 100_000, failures);
        Check("Mcp:MaxTools", mcp.MaxTools, 1, 10_000, failures);
        Check("Mcp:ListBytes", mcp.ListBytes, 1024, 64 * 1024 * 1024, failures);
    }

    private static void Check(string key, int value, int least, int most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{ToolsOptions.Section}:{key} is {value}: it must be from {least} to {most}."));
        }
    }

    private static void Check(string key, TimeSpan value, TimeSpan least, TimeSpan most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add($"{ToolsOptions.Section}:{key} is {value:c}: it must be from {least:c} to {most:c}.");
        }
    }
}
