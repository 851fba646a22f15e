namespace Gateway.Store;

/// <summary>A run that has not ended, as others see it.</summary>
/// <param name="Spec">What <see cref="RunStart.Spec"/> said.</param>
/// <param name="HasBegun">Some replica has held its lease.</param>
internal sealed record LiveRun(ReadOnlyMemory<byte> Spec, bool HasBegun);
