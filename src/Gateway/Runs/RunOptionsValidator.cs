using Gateway.Store;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>Says which key of <see cref="RunOptions"/> has a value that can not be used.</summary>
internal sealed class RunOptionsValidator(IOptions<StoreOptions> store) : IValidateOptions<RunOptions>
{
    public ValidateOptionsResult Validate(string? name, RunOptions options)
    {
        var failures = new List<string>();
        CheckTime(nameof(options.Lease), options.Lease, TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(10));
        if (options.Lease < store.Value.CommandTimeout)
        {
            // One command that hangs would cost every run of the replica.
            failures.Add(
                $"{RunOptions.Section}:{nameof(options.Lease)} is {options.Lease}, but must not be shorter than "
                + $"{StoreOptions.Section}:{nameof(StoreOptions.CommandTimeout)}, which is {store.Value.CommandTimeout}.");
        }

        CheckTime(nameof(options.EventInterval), options.EventInterval, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(5));
        CheckTime(nameof(options.EventRetention), options.EventRetention, TimeSpan.FromSeconds(1), TimeSpan.FromDays(30));
        CheckCount(nameof(options.Concurrent), options.Concurrent, 100_000);
        CheckCount(nameof(options.Queue), options.Queue, 10_000_000);
        CheckCount(nameof(options.Attempts), options.Attempts, 1_000);
        CheckCount(nameof(options.Followers), options.Followers, 1_000_000);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void CheckTime(string key, TimeSpan value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max)
            {
                failures.Add($"{RunOptions.Section}:{key} is {value}, but must be from {min} to {max}.");
            }
        }

        void CheckCount(string key, int value, int max)
        {
            if (value < 1 || value > max)
            {
                failures.Add($"{RunOptions.Section}:{key} is {value}, but must be from 1 to {max}.");
            }
        }
    }
}
