using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Tests.Tools;

public sealed class ApprovalsTests
{
    [Fact]
    public void Find_ManyApprovals_LooksUpEachOnce()
    {
        const int count = 2_000;
        var numbers = Enumerable.Range(0, count).ToArray();
        Item[] items =
            [.. numbers.Select(i => Request($"mcpr_{i}")), .. numbers.Select(i => Run($"mcpr_other_{i}")), .. numbers.Select(i => Answer($"mcpr_{i}", i % 2 == 0))];
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Approvals.Find(items, chainItems: 0, out var approved, out var refused);

        // An id is some 60 bytes; to look through the items for each answer would make millions of them.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, count * 3 * 1024);
        Assert.Null(error);
        Assert.Equal(numbers.Where(i => i % 2 == 0).Select(i => $"mcpr_{i}"), approved.Select(item => item.Id));
        Assert.Equal(numbers.Where(i => i % 2 == 1).Select(i => $"mcpr_{i}"), refused);
    }

    [Fact]
    public void FindOpen_RequestsWithoutAnswerAndWithoutRun_AreOpen()
    {
        Item[] items =
        [
            Request("mcpr_open"), Request("mcpr_yes"), Request("mcpr_no"), Request("mcpr_run"), Answer("mcpr_yes", true), Answer("mcpr_no", false), Run("mcpr_run"),
            Request("mcpr_also_open"),
        ];

        Assert.Equal(["mcpr_open", "mcpr_also_open"], Approvals.FindOpen(items));
    }

    private static Item Request(string id) => View($$"""{"id":"{{id}}","type":"mcp_approval_request","server_label":"s","name":"n","arguments":"{}"}""");

    private static Item Answer(string id, bool approve) =>
        View($$"""{"type":"mcp_approval_response","approval_request_id":"{{id}}","approve":{{(approve ? "true" : "false")}}}""");

    private static Item Run(string id) =>
        View($$"""{"id":"mcp_{{id}}","type":"mcp_call","server_label":"s","name":"n","arguments":"{}","approval_request_id":"{{id}}"}""");

    private static Item View(string json) => ItemTable.View(Encoding.UTF8.GetBytes(json));
}
