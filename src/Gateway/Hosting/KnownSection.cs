namespace Gateway.Hosting;

/// <summary>A section below <c>Gateway</c> whose keys can be checked for typing errors. Several classes may share the keys of one section.</summary>
/// <param name="Name">The section's name below <c>Gateway</c>, such as <c>Limits</c>.</param>
/// <param name="Options">The class it is bound to (or the class of each entry's value in a dictionary, given as that dictionary's type).</param>
internal sealed record KnownSection(string Name, Type Options);
