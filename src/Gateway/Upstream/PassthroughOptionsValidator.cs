using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

internal sealed partial class PassthroughOptionsValidator : IValidateOptions<PassthroughOptions>
{
    public ValidateOptionsResult Validate(string? name, PassthroughOptions options)
    {
        List<string> errors = [];
        for (var i = 0; i < options.Paths.Count; i++)
        {
            var path = options.Paths[i];
            if (!PathPattern.IsMatch(path))
            {
                errors.Add($"{PassthroughOptions.Section}:Paths:{i} is '{path}': it must be a path below /v1/ such as 'tokenize' or 'name/*'.");
            }
            else if (path.Split('/')[0] is "responses" or "conversations" or "models")
            {
                errors.Add($"{PassthroughOptions.Section}:Paths:{i} is '{path}': the gateway answers that path itself.");
            }
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    [GeneratedRegex(@"^[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]*[A-Za-z0-9_-])*(/\*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex PathPattern { get; }
}
