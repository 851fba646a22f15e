using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Store;

/// <summary>Never quotes the connection string: it may hold a password.</summary>
internal sealed class StoreOptionsValidator : IValidateOptions<StoreOptions>
{
    private const int MostReplicas = 100;

    public ValidateOptionsResult Validate(string? name, StoreOptions options)
    {
        var failures = new List<string>();
        CheckRange(failures, nameof(options.Retention), options.Retention, TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));
        CheckRange(failures, nameof(options.CommandTimeout), options.CommandTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromSeconds(60));
        CheckRange(failures, nameof(options.SweepInterval), options.SweepInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        CheckRange(failures, nameof(options.ResumeWindow), options.ResumeWindow, TimeSpan.Zero, TimeSpan.FromDays(1));
        CheckRange(failures, nameof(options.ConversationLease), options.ConversationLease, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        CheckRange(failures, nameof(options.WaitTimeout), options.WaitTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10));
        if (options.WaitReplicas is < 0 or > MostReplicas)
        {
            failures.Add($"{StoreOptions.Section}:{nameof(options.WaitReplicas)} is {options.WaitReplicas}. It must be from 0 to {MostReplicas}.");
        }

        CheckRedis(failures, options);
        if (!options.UsesRedis && string.IsNullOrWhiteSpace(options.Path))
        {
            failures.Add($"{StoreOptions.Section}:{nameof(options.Path)} is empty. Name a folder, or set {StoreOptions.Section}:Redis.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void CheckRange(List<string> failures, string key, TimeSpan value, TimeSpan least, TimeSpan most)
    {
        if (value < least || value > most)
        {
            failures.Add($"{StoreOptions.Section}:{key} is {value:c}. It must be from {least:c} to {most:c}.");
        }
    }

    private static void CheckRedis(List<string> failures, StoreOptions options)
    {
        if (!options.UsesRedis)
        {
            return;
        }

        try
        {
            if (ConfigurationOptions.Parse(options.Redis!).EndPoints.Count == 0)
            {
                failures.Add($"{StoreOptions.Section}:{nameof(options.Redis)} names no server. Write it like 'redis.example:6379,ssl=true'.");
            }
        }
        catch (ArgumentException e)
        {
            // Only the keyword at fault: the message of some errors quotes the whole text.
            failures.Add($"{StoreOptions.Section}:{nameof(options.Redis)} is not a connection string of StackExchange.Redis"
                + (e.ParamName is { Length: > 0 } keyword ? $" (at '{keyword}')." : "."));
        }

        if (options.RedisPasswordFile is { Length: > 0 } file && !File.Exists(file))
        {
            failures.Add($"{StoreOptions.Section}:{nameof(options.RedisPasswordFile)} is '{file}'. There is no such file.");
        }
    }
}
