using Microsoft.Extensions.Options;

namespace Gateway.Store.Sealing;

/// <summary>Names the key at fault by its index, never by its value.</summary>
internal sealed class SecretsOptionsValidator : IValidateOptions<SecretsOptions>
{
    public ValidateOptionsResult Validate(string? name, SecretsOptions options)
    {
        var failures = new List<string>();
        for (var i = 0; i < options.Keys.Count; i++)
        {
            var bytes = new byte[SecretsOptions.KeyBytes + 3];
            if (!Convert.TryFromBase64String(options.Keys[i], bytes, out var length) || length != SecretsOptions.KeyBytes)
            {
                failures.Add($"{SecretsOptions.Section}:Keys:{i} is not 32 bytes in base64. Make one with 'openssl rand -base64 32'.");
            }
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
