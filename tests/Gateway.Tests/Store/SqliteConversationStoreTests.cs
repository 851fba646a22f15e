namespace Gateway.Tests.Store;

public sealed class SqliteConversationStoreTests : ConversationStoreTests
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await SqliteStoreUnderTest.StartAsync();
}
