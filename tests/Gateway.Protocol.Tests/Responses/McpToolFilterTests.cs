using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class McpToolFilterTests
{
    [Theory]
    [InlineData(null, null, null, null, true)]
    [InlineData("a", null, null, null, true)]
    [InlineData(null, null, "a", null, false)]
    [InlineData("a", null, "b,a", null, true)]
    [InlineData("a,c", null, "b,a", null, false)]
    [InlineData("", null, "a", null, true)]
    [InlineData("A", null, "a", null, false)]
    [InlineData(null, true, null, null, true)]
    [InlineData(null, null, null, true, false)]
    [InlineData(null, true, null, true, true)]
    [InlineData(null, false, null, true, false)]
    [InlineData("a", true, "a", null, true)]
    [InlineData("a", null, "a", true, false)]
    public void IsWithin_NamesAndHints_BothMustBeNarrower(string? innerNames, bool? innerReadOnly, string? outerNames, bool? outerReadOnly, bool within)
    {
        var inner = new McpToolFilter(innerNames?.Split(',', StringSplitOptions.RemoveEmptyEntries), innerReadOnly);
        var outer = new McpToolFilter(outerNames?.Split(',', StringSplitOptions.RemoveEmptyEntries), outerReadOnly);

        Assert.Equal(within, McpToolFilter.IsWithin(inner, outer));
        Assert.True(McpToolFilter.IsWithin(inner, null));
        Assert.Equal(outer is { Names: null, ReadOnly: null }, McpToolFilter.IsWithin(null, outer));
    }
}
