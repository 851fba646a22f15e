namespace Gateway.Load.Mock;

/// <summary>How quick a <see cref="ModelServer"/> is.</summary>
/// <param name="Turn">What every answer takes, however little is to be read; a stream spreads its deltas over the whole time of its answer.</param>
/// <param name="Token">What each token of the prompt takes that is not in the prefix cache.</param>
/// <param name="Places">How many answers it makes at once; others wait for a place.</param>
/// <param name="SlowStart">For so long after its start it is slower: first by half, then less and less.</param>
internal sealed record ModelPace(TimeSpan Turn, TimeSpan Token, int Places, TimeSpan SlowStart);
