using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>A response that is still being made, as others see it: queued or in progress, without output.</summary>
internal sealed class RunViews(IRunStore runs, RunSpecs specs)
{
    /// <summary>A run that has not ended, with its spec. Null when there is none.</summary>
    /// <exception cref="StoreUnavailableException">A newer version made it: a replica of that version can show it.</exception>
    public async ValueTask<(LiveRun Run, RunSpec Spec)?> FindAsync(RunKey key, CancellationToken cancellationToken)
    {
        try
        {
            return await runs.GetRunAsync(key, cancellationToken) is { } run ? (run, RunSpec.Read(run.Spec)) : null;
        }
        catch (InvalidDataException e)
        {
            throw new StoreUnavailableException("A run can not be read.", e);
        }
    }

    /// <summary>The response, or null when it can not be shown: the key that its request was sealed with is gone.</summary>
    public PreparedResponse? Read(RunKey key, RunSpec spec, Dialect dialect, Tenant tenant) =>
        specs.Parse(key.Tenant, spec, ResponsesEndpoints.DialectNamed(spec.Dialect), tenant, out var request) is null
            ? ResponsePreparer.PrepareFailed(dialect, tenant, request!, spec.Model, key.Id, spec.CreatedAt)
            : null;

    /// <summary>Appends the response object.</summary>
    public static void Write(PreparedResponse response, bool hasBegun, PooledBuffer output)
    {
        using var envelope = ResponseMaker.NewEnvelope(response);
        envelope.WriteBody(new ResponseState { Status = hasBegun ? ResponseStatus.InProgress : ResponseStatus.Queued }, [], output);
    }
}
