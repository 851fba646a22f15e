namespace Gateway.Tools;

/// <summary>
/// The one place that decides how far a response may go with server-run tools: calls over the whole response, rounds, and the same call again
/// and again.
/// </summary>
/// <param name="maxCalls">The most calls.</param>
/// <param name="maxRounds">The most rounds that end in server-run calls.</param>
/// <param name="maxRepeats">The most calls of one tool with the same arguments.</param>
internal sealed class ToolBudget(int maxCalls, int maxRounds, int maxRepeats)
{
    private readonly Dictionary<(string Tool, string Arguments), int> _made = [];
    private int _calls;
    private int _rounds;
    private bool _ranInRound;
    private bool _repeatedInRound;

    /// <summary>The first limit that was reached; <see cref="ToolLimit.Rounds"/> over all others, since it ends every dialect's loop.</summary>
    public ToolLimit Reached { get; private set; }

    /// <summary>A call was asked for that no call was left for.</summary>
    public bool IsExceeded { get; private set; }

    /// <summary>Takes one call.</summary>
    /// <returns><see cref="CallVerdict.Run"/>, <see cref="CallVerdict.Repeated"/> or <see cref="CallVerdict.OverLimit"/>.</returns>
    public CallVerdict Take(string tool, string arguments)
    {
        if (_calls >= maxCalls)
        {
            Reach(ToolLimit.ToolCalls);
            IsExceeded = true;
            return CallVerdict.OverLimit;
        }

        var made = _made.GetValueOrDefault((tool, arguments));
        if (made >= maxRepeats)
        {
            _repeatedInRound = true;
            return CallVerdict.Repeated;
        }

        _made[(tool, arguments)] = made + 1;
        _calls++;
        _ranInRound = true;
        return CallVerdict.Run;
    }

    /// <summary>A round with server-run calls is over. Sets <see cref="Reached"/> when there must not be another.</summary>
    public void EndRound()
    {
        _rounds++;
        if (_rounds >= maxRounds)
        {
            // After the last call a dialect may go on until one more is asked for, and a model that calls what it does not have never asks.
            Reached = ToolLimit.Rounds;
        }
        else if (_calls >= maxCalls)
        {
            Reach(ToolLimit.ToolCalls);
        }
        else if (_repeatedInRound && !_ranInRound)
        {
            // Told once that it repeats itself, it still does.
            Reach(ToolLimit.RepeatedCalls);
        }

        _ranInRound = false;
        _repeatedInRound = false;
    }

    private void Reach(ToolLimit limit) => Reached = Reached == ToolLimit.None ? limit : Reached;
}
