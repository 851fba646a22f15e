namespace Gateway.Tests.Store;

public sealed class SqliteRunStoreTests : RunStoreTests
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await SqliteStoreUnderTest.StartAsync();
}
