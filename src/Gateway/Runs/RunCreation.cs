using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>Makes sure of what a client is told: a run that was accepted is there, and of one that was not nothing is left.</summary>
internal sealed class RunCreation(IRunStore runs)
{
    /// <summary>After this time the queue may have room.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Puts a run into the store, and sees to it that there is none when that fails: a client that is told so sends its request again. Not cancelled
    /// with the request, for the same reason.
    /// </summary>
    /// <exception cref="StoreUnavailableException">There may be one all the same.</exception>
    public async Task<(long? Token, ApiError? Error)> CreateAsync(RunStart start)
    {
        try
        {
            return Told(await runs.CreateAsync(start, CancellationToken.None));
        }
        catch (StoreUnavailableException)
        {
            // The reply may be lost: a second try finds what the first one made.
        }

        try
        {
            return Told(await runs.CreateAsync(start, CancellationToken.None));
        }
        catch (StoreUnavailableException)
        {
            if (!await RemoveAsync(start))
            {
                // If it is there after all, it is made with nobody waiting for it.
                throw;
            }

            return (null, ApiError.StoreUnavailable());
        }

        static (long?, ApiError?) Told(RunAdmission admission) => (admission.Token, admission.Token is null ? Refused(admission.Refusal) : null);
    }

    /// <summary>
    /// Removes a run that may have been created. With a key it stays when somebody has taken it meanwhile: the same request again will find it.
    /// </summary>
    /// <returns>There is none, and with a key none can come any more.</returns>
    private async Task<bool> RemoveAsync(RunStart start)
    {
        try
        {
            if (start.Memory is { } memory)
            {
                return await runs.DropRunAsync(start.Run, start.Owner is null ? 0 : 1, isUnmade: true, CancellationToken.None)
                    || await runs.ForbidAsync(start.Run, memory, CancellationToken.None);
            }

            await runs.DeleteRunAsync(start.Run, CancellationToken.None);
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private static ApiError Refused(RunRefusal refusal) => refusal switch
    {
        RunRefusal.QueueFull => ApiError.RateLimited("Too many responses are being made or waiting.", RetryAfter),
        RunRefusal.TenantFull => ApiError.RateLimited("Too many responses are being made or waiting for this API key's tenant.", RetryAfter),

        // This replica was so slow that the same request, sent again, went ahead.
        _ => ApiError.IdempotencyKeyInUse(),
    };
}
