using Gateway.Store;

namespace Gateway.Tests.Store;

internal sealed partial class ModelStore
{
    private readonly Dictionary<string, Talk> _talks = [];

    public void CreateConversation(ConversationStart start)
    {
        var talk = new Talk { Id = start.Id, Expires = Now + start.Retention };
        _talks[start.Id.Chain] = talk;
        if (start.Items is { } items)
        {
            talk.Places[items.Turn] = 0;
            AppendTurn(new Turn(items.Items, [], default), talk.LogOf(1), start.Retention);
        }
    }

    public ConversationAccess AddItems(ConversationId id, ConversationItems items, TimeSpan retention)
    {
        if (Find(id) is not { } talk)
        {
            return ConversationAccess.NotFound;
        }

        if (IsHeld(talk, by: null))
        {
            return ConversationAccess.Locked;
        }

        talk.Places[items.Turn] = Log(talk.LogOf(0)).Count;
        AppendTurn(new Turn(items.Items, [], default), talk.LogOf(0), retention);
        Keep(talk, retention);
        return ConversationAccess.Done;
    }

    public ConversationAccess Open(ConversationOpening opening)
    {
        if (Find(opening.Id) is not { } talk)
        {
            return ConversationAccess.NotFound;
        }

        if (opening.Token is not null)
        {
            if (IsHeld(talk, opening.Token))
            {
                return ConversationAccess.Locked;
            }

            talk.Hold(opening.Token, Now + opening.Lease);
        }

        Keep(talk, opening.Retention);
        return ConversationAccess.Done;
    }

    public ConversationAccess Renew(ConversationLock hold, TimeSpan lease)
    {
        if (Find(hold.Id) is not { } talk)
        {
            return ConversationAccess.NotFound;
        }

        if (IsHeld(talk, hold.Token))
        {
            return ConversationAccess.Locked;
        }

        talk.Hold(hold.Token, Now + lease);
        return ConversationAccess.Done;
    }

    public void Release(ConversationLock hold)
    {
        if (Find(hold.Id) is { } talk && talk.Owner == hold.Token)
        {
            talk.Owner = null;
        }
    }

    /// <summary>The turns of a conversation that were not deleted; null when it is not found.</summary>
    public Turn[]? Turns(ConversationId id) => Find(id) is { } talk ? [.. Log(talk.LogOf(0)).OfType<Turn>()] : null;

    public Turn? FindTurn(ConversationId id, ResponseId turn) =>
        Find(id) is { } talk && talk.Places.TryGetValue(turn, out var place) && place >= 0 ? Log(talk.LogOf(0))[place] : null;

    public bool Erase(ConversationId id, ResponseId turn, int index)
    {
        if (FindTurn(id, turn) is not { } found || Talks.Without(index)(found) is not { } edited)
        {
            return false;
        }

        Log(_talks[id.Chain].LogOf(0))[_talks[id.Chain].Places[turn]] = edited;
        return true;
    }

    public bool DeleteConversation(ConversationId id)
    {
        if (Find(id) is not { } talk)
        {
            return false;
        }

        _talks.Remove(id.Chain);
        _logs.Remove((id.Chain, "c"));
        foreach (var turn in talk.Places.Keys)
        {
            _records.Remove(turn);
            _logs.Remove((id.Chain, turn.Self));
        }

        return true;
    }

    private CommitOutcome CommitInto(ConversationLock hold, TurnCommit commit)
    {
        if (Find(hold.Id) is not { } talk)
        {
            return CommitOutcome.ConversationGone;
        }

        var log = commit.ParentPath[^1];
        if (commit.Aside)
        {
            Append(commit, new PathSegment(commit.Id.Chain, commit.Id.Self, 1), commit.ParentPath.Where(segment => segment.Count > 0));
            talk.Places[commit.Id] = -1;
        }
        else if (IsHeld(talk, hold.Token) || Log(log).Count != log.Count)
        {
            return CommitOutcome.ConversationTaken;
        }
        else
        {
            Append(commit, log with { Count = log.Count + 1 }, []);
            talk.Places[commit.Id] = log.Count;
        }

        Release(hold);
        Keep(talk, commit.Retention);
        return commit.Aside ? CommitOutcome.Branched : CommitOutcome.Appended;
    }

    private Talk? Find(ConversationId id) => _talks.TryGetValue(id.Chain, out var talk) && talk.Id == id && talk.Expires > Now ? talk : null;

    private bool IsHeld(Talk talk, string? by) => talk.Owner is not null && talk.Owner != by && talk.HeldUntil > Now;

    private void Keep(Talk talk, TimeSpan retention)
    {
        talk.Expires = Later(talk.Expires, Now + retention);
        if (_logs.TryGetValue((talk.Id.Chain, "c"), out var log) && log.Expires > Now)
        {
            _logs[(talk.Id.Chain, "c")] = (log.Turns, Later(log.Expires, talk.Expires));
        }
    }

    private sealed class Talk
    {
        public required ConversationId Id { get; init; }

        public required DateTimeOffset Expires { get; set; }

        public Dictionary<ResponseId, int> Places { get; } = [];

        public string? Owner { get; set; }

        public DateTimeOffset HeldUntil { get; set; }

        public PathSegment LogOf(int count) => new(Id.Chain, "c", count);

        /// <summary>One's own hold is never shortened.</summary>
        public void Hold(string token, DateTimeOffset until) => (Owner, HeldUntil) = (token, Owner == token ? Later(HeldUntil, until) : until);
    }
}
