namespace Gateway.Load.Run;

/// <summary>One way to make the streams of the scenario <c>background</c>.</summary>
/// <param name="Name">What its column is called.</param>
/// <param name="Target">Where it is made.</param>
/// <param name="Call">The request.</param>
/// <param name="IsBackground">It is asked for with <c>background:true</c>.</param>
/// <param name="IsRun">It is made as a durable run, whose events can be replayed.</param>
internal sealed record RunVariant(string Name, Target Target, Call Call, bool IsBackground, bool IsRun);
