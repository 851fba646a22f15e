namespace Gateway.Store;

/// <summary>How a commit ended.</summary>
internal enum CommitOutcome
{
    /// <summary>Appended behind its parent.</summary>
    Appended,

    /// <summary>Another turn was there first: it was put into a branch of its own. Its history is the same.</summary>
    Branched,

    /// <summary>The record was there already: an earlier try of the same commit had succeeded.</summary>
    AlreadyCommitted,

    /// <summary>Somebody else writes to the conversation, or has done so since it was opened. Nothing was written.</summary>
    ConversationTaken,

    /// <summary>The conversation was deleted or has expired. Nothing was written.</summary>
    ConversationGone,

    /// <summary>The log is shorter than the parent's place: data was lost. Nothing was written.</summary>
    HistoryLost,

    /// <summary>The run that made the turn is another replica's by now, or gone. Nothing was written.</summary>
    Fenced,
}
