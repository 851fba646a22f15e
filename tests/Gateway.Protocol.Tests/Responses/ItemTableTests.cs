using System.Buffers;
using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

public sealed class ItemTableTests
{
    public static TheoryData<ItemKind, string> Accepted => new()
    {
        { ItemKind.Message, """{"role":"user","content":"x"}""" }, // fact 2
        { ItemKind.Message, """{"type":null,"role":"system","content":"x"}""" },
        { ItemKind.Message, """{"type":"message","role":"developer","content":[{"type":"input_text","text":"x"}]}""" }, // fact 17
        { ItemKind.Message, """{"role":"assistant","content":"x","phase":"commentary"}""" }, // fact 19
        { ItemKind.Message, """{"role":"assistant","content":"x","phase":null}""" },
        { ItemKind.Message, """{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"no"},{"type":"input_text","text":"y"}]}""" }, // fact 18
        { ItemKind.Message, """{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png","detail":"original"},{"type":"input_image","file_id":"f"},{"type":"input_image","image_url":null,"file_id":"f","detail":null}]}""" },
        { ItemKind.Message, """{"role":"user","content":[{"type":"input_file","file_data":"data:text/plain;base64,eA==","filename":"a.txt"},{"type":"input_file","file_url":"https://x/y"},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"input_video","video_url":"https://x/y"}]}""" },
        { ItemKind.Message, """{"role":"user","content":[]}""" },
        { ItemKind.FunctionCall, """{"type":"function_call","call_id":"c","name":"f","arguments":"{}","namespace":"n","async":true}""" },
        { ItemKind.FunctionCall, """{"type":"function_call","id":null,"status":null,"call_id":"c","name":"f","arguments":""}""" },
        { ItemKind.FunctionCallOutput, """{"type":"function_call_output","call_id":"c","output":"x"}""" },
        { ItemKind.FunctionCallOutput, """{"type":"function_call_output","call_id":null,"output":"x"}""" },
        { ItemKind.FunctionCallOutput, """{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,AA"},{"type":"input_file","file_id":"f"}]}""" }, // fact 16
        { ItemKind.CustomToolCall, """{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}""" },
        { ItemKind.CustomToolCallOutput, """{"type":"custom_tool_call_output","call_id":"c","output":"x"}""" },
        { ItemKind.Reasoning, """{"type":"reasoning","summary":[]}""" },
        { ItemKind.Reasoning, """{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"reasoning_text","text":"t"}],"encrypted_content":"e"}""" },
        { ItemKind.Reasoning, """{"type":"reasoning","summary":[],"content":null,"encrypted_content":null}""" },
        { ItemKind.ItemReference, """{"type":"item_reference","id":"msg_1"}""" },
        { ItemKind.ItemReference, """{"id":"msg_1"}""" },
        { ItemKind.McpListTools, """{"type":"mcp_list_tools","id":"m","server_label":"l","tools":[]}""" },
        { ItemKind.McpCall, """{"type":"mcp_call","id":"m","server_label":"l","name":"n","arguments":"{}","output":null,"error":{"type":"http_error"}}""" },
        { ItemKind.McpApprovalRequest, """{"type":"mcp_approval_request","id":"m","server_label":"l","name":"n","arguments":"{}"}""" },
        { ItemKind.McpApprovalResponse, """{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":null}""" },
        { ItemKind.ToolOutput, """{"type":"tool_output","tool_call_id":"mcp_1","output":"x"}""" },
        { ItemKind.ConfigurationUpdate, """{"type":"configuration_update","reasoning":{"effort":"low"},"text":{"format":{"type":"text"}}}""" },
        { ItemKind.AdditionalTools, """{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"f"}]}""" },
        { ItemKind.ToolSearchCall, """{"type":"tool_search_call","arguments":{"q":1},"execution":"client","call_id":"c"}""" },
        { ItemKind.ToolSearchOutput, """{"type":"tool_search_output","tools":[],"execution":"client","call_id":"c"}""" },
        { ItemKind.WebSearchCall, """{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search"}}""" },
        { ItemKind.FileSearchCall, """{"type":"file_search_call","id":"fs_1","status":"completed","queries":[]}""" },
        { ItemKind.CodeInterpreterCall, """{"type":"code_interpreter_call","id":"ci_1","status":"completed","code":""}""" },
        { ItemKind.ImageGenerationCall, """{"type":"image_generation_call","id":"ig_1","status":"completed","result":null}""" },
        { ItemKind.ComputerCall, """{"type":"computer_call","call_id":"c","action":{"type":"click"}}""" },
        { ItemKind.ComputerCallOutput, """{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"x"}}""" },
        { ItemKind.ShellCall, """{"type":"shell_call","call_id":"c","action":{"commands":[]}}""" },
        { ItemKind.ShellCallOutput, """{"type":"shell_call_output","call_id":"c","output":[{"stdout":"x"}]}""" },
        { ItemKind.LocalShellCall, """{"type":"local_shell_call","call_id":"c","action":{"command":[]}}""" },
        { ItemKind.LocalShellCallOutput, """{"type":"local_shell_call_output","id":"c","output":"x"}""" },
        { ItemKind.ApplyPatchCall, """{"type":"apply_patch_call","call_id":"c","operation":{"type":"delete_file"}}""" },
        { ItemKind.ApplyPatchCallOutput, """{"type":"apply_patch_call_output","call_id":"c","status":"completed"}""" },
        { ItemKind.Program, """{"type":"program","call_id":"c","code":"x","fingerprint":"f"}""" },
        { ItemKind.ProgramOutput, """{"type":"program_output","call_id":"c","result":"x"}""" },
        { ItemKind.AgentMessage, """{"type":"agent_message","content":[{"type":"whatever"}]}""" },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void TryParse_LegalItem_IsAcceptedAndStored(ItemKind kind, string json)
    {
        var bytes = Encoding.UTF8.GetBytes(json);

        Assert.Null(ItemTable.TryParse(bytes, "input[0]", out var item));

        Assert.Equal(kind, item.Kind);
        Assert.Equal(json, Requests.Text(item.Json));
        var output = new ArrayBufferWriter<byte>();
        ItemTable.WriteWithId(item, "made_1", output);
        var stored = ItemTable.View(output.WrittenMemory);
        Assert.Equal(kind, stored.Kind);
        Assert.Equal(item.HasId ? item.Id : "made_1", stored.Id);
        Assert.Equal(item.CallId, stored.CallId);
        Assert.NotEqual("item", ItemTable.IdPrefix(kind));
    }

    [Fact]
    public void Table_HasARowForEveryKind()
    {
        var tested = Accepted.Select(row => row.Data.Item1).ToHashSet();
        foreach (var kind in Enum.GetValues<ItemKind>())
        {
            Assert.Equal(kind, ItemTable.Row(kind).Kind);
            Assert.True(tested.Contains(kind) || kind == ItemKind.Unknown || ItemTable.Row(kind).Rejected, $"{kind} has no test");
        }
    }

    [Theory]
    [InlineData("1", "invalid_type", "input[0]")]
    [InlineData("null", "invalid_type", "input[0]")]
    [InlineData("[]", "invalid_type", "input[0]")]
    [InlineData("{}", "missing_required_parameter", "input[0].type")]
    [InlineData("""{"content":"x"}""", "missing_required_parameter", "input[0].type")]
    [InlineData("""{"id":"x","content":"x"}""", "missing_required_parameter", "input[0].type")]
    [InlineData("""{"type":"telepathy"}""", "invalid_value", "input[0].type")] // fact 3
    [InlineData("""{"type":5}""", "invalid_type", "input[0].type")]
    [InlineData("""{"type":"message","type":"message","role":"user","content":"x"}""", "invalid_value", "input[0].type")]
    [InlineData("""{"role":"user","role":"system","content":"x"}""", "invalid_value", "input[0].role")]
    [InlineData("""{"type":"message","content":"x"}""", "missing_required_parameter", "input[0].role")]
    [InlineData("""{"role":"tool","content":"x"}""", "invalid_value", "input[0].role")]
    [InlineData("""{"role":1,"content":"x"}""", "invalid_type", "input[0].role")]
    [InlineData("""{"role":"user"}""", "missing_required_parameter", "input[0].content")]
    [InlineData("""{"role":"user","content":null}""", "missing_required_parameter", "input[0].content")]
    [InlineData("""{"role":"user","content":{}}""", "invalid_type", "input[0].content")]
    [InlineData("""{"role":"user","content":"x","id":1}""", "invalid_type", "input[0].id")]
    [InlineData("""{"role":"assistant","content":"x","phase":"end"}""", "invalid_value", "input[0].phase")]
    [InlineData("""{"role":"user","content":["x"]}""", "invalid_type", "input[0].content[0]")]
    [InlineData("""{"role":"user","content":[{"text":"x"}]}""", "missing_required_parameter", "input[0].content[0].type")]
    [InlineData("""{"role":"user","content":[{"type":7}]}""", "invalid_type", "input[0].content[0].type")]
    [InlineData("""{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_text","text":1}]}""", "invalid_type", "input[0].content[1].text")]
    [InlineData("""{"role":"user","content":[{"type":"input_text"}]}""", "missing_required_parameter", "input[0].content[0].text")]
    [InlineData("""{"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]}""", "invalid_value", "input[0].content[0].text")]
    [InlineData("""{"role":"user","content":[{"type":"output_text","text":"x"}]}""", "invalid_value", "input[0].content[0].type")]
    [InlineData("""{"role":"assistant","content":[{"type":"input_image","image_url":"data:,"}]}""", "invalid_value", "input[0].content[0].type")]
    [InlineData("""{"role":"user","content":[{"type":"input_image"}]}""", "missing_required_parameter", "input[0].content[0].image_url")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":{"url":"https://x"}}]}""", "invalid_type", "input[0].content[0].image_url")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":"x.png"}]}""", "invalid_value", "input[0].content[0].image_url")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":"data:,","detail":"max"}]}""", "invalid_value", "input[0].content[0].detail")]
    [InlineData("""{"role":"user","content":[{"type":"input_file","filename":"x"}]}""", "missing_required_parameter", "input[0].content[0].file_data")]
    [InlineData("""{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"x","format":"ogg"}}]}""", "invalid_value", "input[0].content[0].input_audio.format")]
    [InlineData("""{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav"}}]}""", "missing_required_parameter", "input[0].content[0].input_audio.data")]
    [InlineData("""{"type":"function_call","name":"f","arguments":"{}"}""", "missing_required_parameter", "input[0].call_id")]
    [InlineData("""{"type":"function_call","call_id":"","name":"f","arguments":"{}"}""", "invalid_value", "input[0].call_id")]
    [InlineData("""{"type":"function_call","call_id":"c","arguments":"{}"}""", "missing_required_parameter", "input[0].name")]
    [InlineData("""{"type":"function_call","call_id":"c","name":"f","arguments":{}}""", "invalid_type", "input[0].arguments")]
    [InlineData("""{"type":"function_call_output","output":"x"}""", "missing_required_parameter", "input[0].call_id")]
    [InlineData("""{"type":"function_call_output","call_id":"c"}""", "missing_required_parameter", "input[0].output")]
    [InlineData("""{"type":"function_call_output","call_id":"c","output":[{"type":"input_audio"}]}""", "invalid_value", "input[0].output[0].type")]
    [InlineData("""{"type":"function_call_output","call_id":"c","output":{}}""", "invalid_type", "input[0].output")]
    [InlineData("""{"type":"custom_tool_call","call_id":"c","name":"f"}""", "missing_required_parameter", "input[0].input")]
    [InlineData("""{"type":"reasoning"}""", "missing_required_parameter", "input[0].summary")]
    [InlineData("""{"type":"reasoning","summary":[{"type":"text","text":"x"}]}""", "invalid_value", "input[0].summary[0].type")]
    [InlineData("""{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text"}]}""", "missing_required_parameter", "input[0].content[0].text")]
    [InlineData("""{"type":"item_reference"}""", "missing_required_parameter", "input[0].id")]
    [InlineData("""{"type":"mcp_call","id":"m","server_label":"l","name":"n"}""", "missing_required_parameter", "input[0].arguments")]
    [InlineData("""{"type":"additional_tools","tools":[{"type":"mcp"}]}""", "invalid_value", "input[0].tools[0].type")]
    [InlineData("""{"type":"configuration_update","reasoning":{"effort":"x"}}""", "invalid_value", "input[0].reasoning.effort")]
    [InlineData("""{"type":"configuration_update","text":{"format":{"type":"x"}}}""", "invalid_value", "input[0].text.format.type")]
    [InlineData("""{"type":"compaction","encrypted_content":"x"}""", "invalid_value", "input[0].type")]
    [InlineData("""{"type":"compaction_trigger"}""", "invalid_value", "input[0].type")]
    [InlineData("""{"type":"mcp_approval_response","approval_request_id":"","approve":true}""", "invalid_value", "input[0].approval_request_id")]
    [InlineData("""{"type":"mcp_approval_response","approval_request_id":"x"}""", "missing_required_parameter", "input[0].approve")]
    [InlineData("""{"type":"mcp_approval_response","approval_request_id":"x","approve":"yes"}""", "invalid_type", "input[0].approve")]
    [InlineData("""{"type":"tool_output","output":"x"}""", "missing_required_parameter", "input[0].tool_call_id")]
    [InlineData("""{"type":"program","call_id":"c"}""", "invalid_value", "input[0].type")]
    public void Parse_BadItem_GivesTheCataloguesError(string item, string code, string param)
    {
        var error = Requests.Reject(Requests.WithInput(item));

        Assert.Equal((400, code, param), (error.Status, error.Code, error.Param));
    }

    [Fact]
    public void Parse_BadItemFurtherOn_NamesItsIndex()
    {
        var error = Requests.Reject(Requests.WithInput("""{"role":"user","content":"x"},{"role":"user","content":[{"type":"input_text","text":true}]}"""));

        Assert.Equal("input[1].content[0].text", error.Param);
        Assert.Equal("Invalid type for 'input[1].content[0].text': expected a string, but got a boolean instead.", error.Message);
    }

    [Theory]
    [InlineData("""{"role":"user","content":"a \"b\"","extra":[1]}""", """{"id":"msg_9","type":"message","role":"user","content":[{"type":"input_text","text":"a \"b\""}],"extra":[1],"status":"completed"}""")]
    [InlineData("""{"role":"assistant","content":"x","phase":"final_answer"}""", """{"id":"msg_9","type":"message","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]}],"phase":"final_answer","status":"completed"}""")]
    [InlineData("""{"type":"message","id":"mine","status":"in_progress","role":"user","content":[]}""", """{"id":"mine","type":"message","status":"in_progress","role":"user","content":[]}""")]
    [InlineData("""{"id":null,"status":null,"role":"user","content":[]}""", """{"id":"msg_9","type":"message","role":"user","content":[],"status":"completed"}""")]
    [InlineData("""{"type":"function_call","call_id":"c","name":"f","arguments":"{}","\u0078":1}""", """{"id":"msg_9","type":"function_call","call_id":"c","name":"f","arguments":"{}","\u0078":1}""")]
    [InlineData("""{"id":"only"}""", """{"id":"only","type":"item_reference"}""")]
    public void WriteWithId_Item_GetsItsStoredForm(string json, string stored) // fact 20
    {
        Assert.Null(ItemTable.TryParse(Encoding.UTF8.GetBytes(json), "input[0]", out var item));
        var output = new ArrayBufferWriter<byte>();

        ItemTable.WriteWithId(item, "msg_9", output);

        Assert.Equal(stored, Requests.Text(output.WrittenMemory));
    }

    [Theory]
    [InlineData("""{"type":"message","id":"mine","role":"user","content":[]}""", """{"id":"new_9","type":"message","role":"user","content":[],"status":"completed"}""")]
    [InlineData("""{"type":"local_shell_call_output","id":"call_1","output":"o"}""", """{"id":"new_9","type":"local_shell_call_output","call_id":"call_1","output":"o"}""")]
    [InlineData("""{"type":"local_shell_call_output","call_id":null,"id":"call_1","output":"o"}""", """{"id":"new_9","type":"local_shell_call_output","call_id":"call_1","output":"o"}""")]
    [InlineData("""{"type":"local_shell_call_output","id":"lsho_1","call_id":"call_1","output":"o"}""", """{"id":"new_9","type":"local_shell_call_output","call_id":"call_1","output":"o"}""")]
    [InlineData("""{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}""", """{"id":"new_9","type":"mcp_approval_response","approval_request_id":"mcpr_new","approve":true}""")]
    [InlineData("""{"type":"mcp_approval_response","approval_request_id":"mcpr_2","approve":true}""", """{"id":"new_9","type":"mcp_approval_response","approval_request_id":"mcpr_2","approve":true}""")]
    [InlineData("""{"type":"mcp_call","id":"mcp_1","server_label":"s","name":"n","arguments":"{}","approval_request_id":"mcpr_1"}""", """{"id":"new_9","type":"mcp_call","server_label":"s","name":"n","arguments":"{}","approval_request_id":"mcpr_new"}""")]
    public void WriteWithId_OverTheItemsOwn_KeepsWhatTheOldOneSaid(string json, string stored)
    {
        Assert.Null(ItemTable.TryParse(Encoding.UTF8.GetBytes(json), "input[0]", out var item));
        var output = new ArrayBufferWriter<byte>();

        ItemTable.WriteWithId(item, "new_9", output, keepId: false, new Dictionary<string, string> { ["mcpr_1"] = "mcpr_new" });

        Assert.Equal(stored, Requests.Text(output.WrittenMemory));
        Assert.Equal(item.CallId, ItemTable.View(output.WrittenMemory).CallId);
    }

    [Fact]
    public void View_StopsReadingOnceItKnows()
    {
        // What follows is not JSON at all: it is never looked at.
        var item = ItemTable.View(Encoding.UTF8.GetBytes("""{"id":"fc_1","type":"function_call","call_id":"c\u0031",@@@"""));

        Assert.Equal((ItemKind.FunctionCall, "fc_1", "c1"), (item.Kind, item.Id, item.CallId));
    }

    /// <summary>As a newer version may have stored it.</summary>
    [Theory]
    [InlineData("""{"id":"new_1","type":"invented"}""")]
    [InlineData("""{"id":"new_1","type":"invented","role":"user","content":"x"}""")]
    [InlineData("""{"type":"invented","id":"new_1"}""")]
    public void View_TypeThatNobodyKnows_IsNeitherReferenceNorMessage(string json)
    {
        var item = ItemTable.View(Encoding.UTF8.GetBytes(json));

        Assert.Equal((ItemKind.Unknown, "new_1"), (item.Kind, item.Id));
    }

    [Fact]
    public void View_ThousandsOfItems_AllocatesNothing()
    {
        var json = Encoding.UTF8.GetBytes("""{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]}""");
        _ = ItemTable.View(json);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 1000; i++)
        {
            _ = ItemTable.View(json);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }
}
