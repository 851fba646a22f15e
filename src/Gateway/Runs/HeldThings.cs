namespace Gateway.Runs;

/// <summary>What a request holds until its run is over, or until it turns out that there will be none.</summary>
internal sealed class HeldThings(params IDisposable?[] first) : IDisposable
{
    private List<IDisposable?> _things = [.. first];

    /// <summary>Holds another thing.</summary>
    public void Add(IDisposable? thing) => _things.Add(thing);

    /// <summary>Hands everything over: from now on whoever has what this returns holds it.</summary>
    public HeldThings Release()
    {
        var released = new HeldThings { _things = _things };
        _things = [];
        return released;
    }

    public void Dispose()
    {
        foreach (var thing in _things)
        {
            thing?.Dispose();
        }

        _things = [];
    }
}
