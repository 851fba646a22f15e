using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Tests.Tools;

public sealed class TruncationPlanTests
{
    [Fact]
    public void Steps_GoFromTheOldest_AndStopAtTheLastUserMessage()
    {
        var plan = Plan(0, "user Q1", "assistant A1", "user Q2", "assistant A2");

        Assert.Equal(2, plan.Count);
        Assert.Equal("Q1 A1 Q2 A2", Left(plan, 0));
        Assert.Equal("A1 Q2 A2", Left(plan, 1));
        Assert.Equal("Q2 A2", Left(plan, 2));
    }

    [Fact]
    public void SystemAndDeveloper_Stay()
    {
        var plan = Plan(0, "system S", "user Q1", "developer D", "assistant A1", "user Q2");

        Assert.Equal("S D Q2", Left(plan, plan.Count));
    }

    [Fact]
    public void CallAndOutput_AreOneStep()
    {
        var plan = Plan(0, "user Q1", "call c1", "call c2", "output c1", "output c2", "user Q2");

        Assert.Equal(["Q1 c1 c2 c1= c2= Q2", "c1 c2 c1= c2= Q2", "c2 c2= Q2", "Q2"], Enumerable.Range(0, plan.Count + 1).Select(steps => Left(plan, steps)));
    }

    [Fact]
    public void CallWhoseOutputIsBehindTheLastUserMessage_Stays()
    {
        var plan = Plan(0, "user Q1", "call c1", "user Q2", "output c1");

        Assert.Equal("c1 Q2 c1=", Left(plan, plan.Count));
    }

    [Fact]
    public void CallIdUsedAgain_DoesNotTakeTheNewerCallAlong()
    {
        var plan = Plan(0, "user Q1", "call c", "output c", "user Q2", "call c", "output c");

        Assert.Equal("Q2 c c=", Left(plan, plan.Count));
    }

    [Fact]
    public void ChainItems_AreCountedOnTheirOwn()
    {
        var plan = Plan(3, "user Q1", "system S", "call c1", "output c1", "user Q2");

        Assert.Equal([3, 2, 1], Enumerable.Range(0, plan.Count + 1).Select(plan.ChainItemsAfter));
    }

    [Fact]
    public void WithoutAUserMessage_AllButTheLastItemMayGo()
    {
        var plan = Plan(0, "assistant A1", "assistant A2", "assistant A3");

        Assert.Equal("A3", Left(plan, plan.Count));
    }

    private static TruncationPlan Plan(int chainItems, params IEnumerable<string> items) => TruncationPlan.Of([.. items.Select(Item)], chainItems);

    private static Item Item(string text)
    {
        var (kind, rest) = (text.Split(' ')[0], text.Split(' ')[1]);
        return ItemTable.View(Encoding.UTF8.GetBytes(kind switch
        {
            "call" => $$"""{"type":"function_call","call_id":"{{rest}}","name":"f","arguments":"{}"}""",
            "output" => $$"""{"type":"function_call_output","call_id":"{{rest}}","output":"x"}""",
            _ => $$"""{"type":"message","role":"{{kind}}","content":"{{rest}}"}""",
        }));
    }

    private static string Left(TruncationPlan plan, int steps) => string.Join(' ', plan.After(steps).Select(item =>
    {
        using var json = System.Text.Json.JsonDocument.Parse(item.Json);
        var root = json.RootElement;
        return item.Kind == ItemKind.Message ? root.GetProperty("content").GetString() : item.CallId + (item.Kind == ItemKind.FunctionCallOutput ? "=" : "");
    }));
}
