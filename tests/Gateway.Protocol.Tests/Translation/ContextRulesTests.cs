using System.Diagnostics;
using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class ContextRulesTests
{
    [Theory]
    [InlineData("C1 O1")]
    [InlineData("C1 C2 O2 O1")]
    [InlineData("O1 C1")]
    [InlineData("C1 O1 C1 O1")]
    [InlineData("C1 C1 O1")]
    [InlineData("C1 O1 O1")]
    [InlineData("")]
    public void Check_AnsweredCalls_AreAccepted(string items) => Assert.Null(ContextRules.Check(Items(items), null));

    [Theory]
    [InlineData("O1", "No tool call found for function call output with call_id c1.")] // fact 14
    [InlineData("C1 O1 O2", "No tool call found for function call output with call_id c2.")]
    [InlineData("C1", "No tool output found for function call c1.")] // fact 15
    [InlineData("C1 O1 C2", "No tool output found for function call c2.")]
    [InlineData("C1 O1 C1", "No tool output found for function call c1.")]
    [InlineData("C2 O1", "No tool call found for function call output with call_id c1.")]
    public void Check_UnmatchedItems_AreRefused(string items, string message)
    {
        var error = ContextRules.Check(Items(items), null);

        Assert.NotNull(error);
        Assert.Equal((400, null, "input", message), (error.Status, error.Code, error.Param, error.Message));
    }

    [Fact]
    public void Check_OtherKinds_AreNamedInWords()
    {
        var output = Requests.ParseInput("""{"type":"custom_tool_call_output","call_id":"c","output":"x"}""").Input;
        var call = Requests.ParseInput("""{"type":"shell_call","call_id":"c","action":{}}""").Input;
        var none = Requests.ParseInput("""{"type":"function_call_output","call_id":null,"output":"x"}""").Input;

        Assert.Equal("No tool call found for custom tool call output with call_id c.", ContextRules.Check(output, null)?.Message);
        Assert.Equal("No tool output found for shell call c.", ContextRules.Check(call, null)?.Message);
        Assert.NotNull(ContextRules.Check(none, null));
    }

    [Fact]
    public void Check_CutCalls_NeedNoOutput()
    {
        var incomplete = Requests.ParseInput("""{"type":"function_call","call_id":"c","name":"f","arguments":"{","status":"incomplete"}""").Input;

        Assert.Null(ContextRules.Check(incomplete, null));
        Assert.Null(ContextRules.Check(Items("C1"), new HashSet<string> { "c1" }));
        Assert.NotNull(ContextRules.Check(Items("C1"), new HashSet<string> { "c2" }));
    }

    [Fact]
    public void Check_EscapedCallId_IsTheSameId()
    {
        var items = Requests.ParseInput("""{"type":"function_call","call_id":"c\u0031","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":""}""").Input;

        Assert.Null(ContextRules.Check(items, null));
    }

    [Fact]
    public void Check_ThousandsOfItems_IsLinear()
    {
        var items = Enumerable.Range(0, 100_000).SelectMany(i => Items($"C{i} O{i}")).ToList();
        var watch = Stopwatch.StartNew();

        Assert.Null(ContextRules.Check(items, null));

        // Some tens of milliseconds; the bound only has to tell linear from quadratic.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5));
    }

    private static List<Item> Items(string text) =>
    [
        .. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => ItemTable.View(Encoding.UTF8.GetBytes(word[0] == 'C'
            ? $$"""{"type":"function_call","call_id":"c{{word[1..]}}","name":"f","arguments":"{}"}"""
            : $$"""{"type":"function_call_output","call_id":"c{{word[1..]}}","output":""}"""))),
    ];
}
