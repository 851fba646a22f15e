namespace Gateway.Store;

/// <summary>A parent with its whole history.</summary>
/// <param name="Parent">The parent's record.</param>
/// <param name="Turns">Every turn of the history, oldest first, the parent's own last.</param>
/// <param name="ParentIsTail">No turn follows the parent in its log: a child may be appended there. When false a child opens a new chain.</param>
internal sealed record Chain(ResponseRecord Parent, IReadOnlyList<Turn> Turns, bool ParentIsTail);
