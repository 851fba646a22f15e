namespace Gateway.Telemetry;

/// <summary>What a feature adds to the block that is printed once after the start.</summary>
internal interface IStartupLine
{
    /// <summary>Asked once, after the server listens. May wait for something (a first discovery), and answers with what it has once the token is cancelled.</summary>
    ValueTask<StartupText> DescribeAsync(CancellationToken cancellationToken);
}
