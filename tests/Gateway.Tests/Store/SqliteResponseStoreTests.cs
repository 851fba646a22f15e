namespace Gateway.Tests.Store;

public sealed class SqliteResponseStoreTests : ResponseStoreTests
{
    private protected override async Task<StoreUnderTest> OpenAsync() => await SqliteStoreUnderTest.StartAsync();
}
