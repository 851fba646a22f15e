namespace Gateway.Store;

/// <summary>A page of a list.</summary>
/// <param name="Data">Newest first, whatever the cursor was.</param>
/// <param name="HasMore">There are more responses in the direction of the walk: older ones, or newer ones with a <c>Before</c> cursor.</param>
internal sealed record StoredPage(IReadOnlyList<StoredResponse> Data, bool HasMore);
