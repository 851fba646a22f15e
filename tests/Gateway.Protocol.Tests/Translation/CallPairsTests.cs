using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class CallPairsTests
{
    private const int None = CallPairs.None;
    private const int Duplicate = CallPairs.Duplicate;

    /// <summary>c: a call, o: an output, m: a message; the letter behind it is the call id.</summary>
    [Theory]
    [InlineData("m", new[] { None })]
    [InlineData("ca oa", new[] { 1, 0 })]
    [InlineData("ca m oa", new[] { 2, None, 0 })]
    [InlineData("ca cb ob oa", new[] { 3, 2, 1, 0 })]
    [InlineData("ca", new[] { None })]
    [InlineData("oa", new[] { None })]
    [InlineData("oa ca", new[] { 1, 0 })]
    [InlineData("ca oa ca oa", new[] { 1, 0, 3, 2 })]
    [InlineData("ca oa oa", new[] { 1, 0, Duplicate })]
    [InlineData("ca ca oa", new[] { 2, Duplicate, 0 })]
    [InlineData("ca oa ca", new[] { 1, 0, None })]
    [InlineData("ca oa ca ca oa", new[] { 1, 0, 4, Duplicate, 2 })]
    [InlineData("oa oa ca", new[] { 2, Duplicate, 0 })]
    [InlineData("oa ca oa", new[] { 1, 0, Duplicate })]
    [InlineData("ca oa oa ca oa", new[] { 1, 0, Duplicate, 4, 3 })]
    [InlineData("ca ob", new[] { None, None })]
    public void Find_Items_PairsCallsAndOutputs(string items, int[] partners)
    {
        var json = items.Split(' ').Select(item => item[0] switch
        {
            'c' => $$"""{"type":"function_call","call_id":"{{item[1..]}}","name":"f","arguments":"{}"}""",
            'o' => $$"""{"type":"function_call_output","call_id":"{{item[1..]}}","output":"x"}""",
            _ => """{"role":"user","content":"x"}""",
        });

        Assert.Equal(partners, Find(string.Join(',', json)));
    }

    [Fact]
    public void Find_SameIdWrittenInAnotherWay_IsTheSameId()
    {
        Assert.Equal([1, 0], Find(
            """{"type":"function_call","call_id":"call_\u0041","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_A","output":"x"}"""));
    }

    [Fact]
    public void Find_OtherKindsOfCalls_ArePairedToo()
    {
        Assert.Equal([2, 3, 0, 1], Find(
            """
            {"type":"custom_tool_call","call_id":"a","name":"f","input":"x"},{"type":"function_call","call_id":"b","name":"f","arguments":"{}"},
            {"type":"custom_tool_call_output","call_id":"a","output":"x"},{"type":"function_call_output","call_id":"b","output":"x"}
            """));
    }

    [Fact]
    public void Find_NoItems_PairsNothing() => Assert.Equal(None, CallPairs.Find([]).PartnerOf(0));

    private static int[] Find(string items)
    {
        var input = Requests.ParseInput(items).Input;
        var pairs = CallPairs.Find(input);
        return [.. Enumerable.Range(0, input.Count).Select(pairs.PartnerOf)];
    }
}
