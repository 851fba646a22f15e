using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace PythonTool.Tests;

public sealed class ResultTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private PythonToolServer Server => shared.Server;

    [Fact]
    public async Task Call_PrintsAndEndsWithExpression_TellsBoth()
    {
        var call = await Server.RunAsync("print('hello')\n6 * 7");

        Assert.Equal(new PythonCall(false, "hello\n\n[result]\n42", "ok", "hello\n", "", "42", null), call);
    }

    [Theory]
    [InlineData("'a' * 3", "'aaa'")]
    [InlineData("print('only')", "only")]
    [InlineData("x = 1", "(no output)")]
    [InlineData("None", "(no output)")]
    [InlineData("", "(no output)")]
    [InlineData("import sys; sys.exit(0)", "(no output)")]
    [InlineData("import sys; _ = sys.stderr.write('careful')", "[stderr]\ncareful")]
    [InlineData("import subprocess; subprocess.run(['echo', 'child'], check=True).returncode", "child\n\n[result]\n0")]
    [InlineData("import os\nif child := os.fork(): os.waitpid(child, 0)\nprint('process')", "process\nprocess")]
    [InlineData("'\\ud800'", "'\\ud800'")]
    [InlineData("print('\\ud800')", "\\ud800")]
    [InlineData("class Odd:\n    def __repr__(self): return '\\ud800'\nOdd()", "\\ud800")]
    [InlineData("print('é €')", "é €")]
    [InlineData("import multiprocessing\ndef double(x): return 2 * x\nwith multiprocessing.Pool(2) as pool: print(pool.map(double, [1, 2]))", "[2, 4]")]
    [InlineData("import threading; thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()", "thread")]
    [InlineData("import asyncio\nasync def f(): return 5\nasyncio.run(f())", "5")]
    [InlineData("__name__", "'__main__'")]
    [InlineData("import os; os.getcwd()", "'/sandbox'")]
    public async Task Call_Succeeds_TextIsForAModel(string code, string text)
    {
        var call = await Server.RunAsync(code);

        Assert.Equal((false, "ok", text), (call.IsError, call.Status, call.Text));
    }

    [Fact]
    public async Task Call_Raises_TracebackShowsTheCodeOnly()
    {
        var call = await Server.RunAsync("def f():\n    raise ValueError('no')\nprint('before')\nf()");

        Assert.Equal((true, "error", "before\n"), (call.IsError, call.Status, call.Stdout));
        Assert.Equal(
            """
            Traceback (most recent call last):
              File "<call 1>", line 4, in <module>
                f()
              File "<call 1>", line 2, in f
                raise ValueError('no')
            ValueError: no

            """,
            call.Stderr);
        Assert.Equal("before\n\n[stderr]\n" + call.Stderr.TrimEnd(), call.Text);
    }

    [Theory]
    [InlineData("def f(:", "SyntaxError")]
    [InlineData("x = '\0'", "null bytes")]
    [InlineData("import sys; sys.exit(3)", "SystemExit: 3")]
    [InlineData("raise KeyboardInterrupt", "KeyboardInterrupt")]
    [InlineData("def f(): f()\nf()", "RecursionError")]
    [InlineData("class R:\n    def __repr__(self): raise RuntimeError('repr')\nR()", "RuntimeError: repr")]
    [InlineData("class E(Exception):\n    def __str__(self): raise RuntimeError('str')\nraise E()", "E: <exception str() failed>")]
    [InlineData("import asyncio\nasync def f(): raise OSError('later')\nasyncio.run(f())", "OSError: later")]
    [InlineData("input()", "EOFError")]
    public async Task Call_Raises_IsError(string code, string told)
    {
        var call = await Server.RunAsync(code);

        Assert.Equal((true, "error"), (call.IsError, call.Status));
        Assert.Contains(told, call.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("File \"<string>\"", call.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("import sys; sys.stdout.close()")]
    [InlineData("import sys; sys.stdout = None")]
    [InlineData("import os; os.close(1); os.close(2)")]
    public async Task Call_LosesItsOutput_StillEnds(string code)
    {
        var call = await Server.RunAsync(code);

        Assert.Equal("ok", call.Status);
    }

    [Theory]
    [InlineData("import os; os._exit(7)", "it exited with status 7")]
    [InlineData("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "it was ended by signal 9")]
    [InlineData("import ctypes; ctypes.string_at(0)", "it was ended by signal 11")]
    public async Task Interpreter_Ends_IsKilledWithTheReason(string code, string reason)
    {
        var call = await Server.RunAsync("print('before', flush=True)\n" + code);

        Assert.Equal((true, "killed", "before\n", reason), (call.IsError, call.Status, call.Stdout, call.Reason));
        Assert.Equal(
            $"before\n\n[killed] The code was ended: {reason}. Variables and files of earlier calls are lost; the next call starts afresh.", call.Text);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("5")]
    [InlineData("[\"print()\"]")]
    public async Task Code_IsNoText_IsRefusedByName(string code)
    {
        var call = await Server.Client.RunAsync(JsonDocument.Parse(code).RootElement, session: null);

        Assert.Equal((true, "refused"), (call.IsError, call.Status));
        Assert.StartsWith("[refused] The code was not run: the argument 'code' ", call.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Code_IsNoUnicode_IsAnError()
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, Server.Address + "/mcp");
        // The stock client can not send it.
        request.Content = new StringContent(
            """{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"python","arguments":{"code":"'\ud800'"}}}""", Encoding.UTF8, "application/json");
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");

        using var answer = await http.SendAsync(request);

        Assert.Contains("\"error\":{\"code\":-32603,", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("2", (await Server.RunAsync("1 + 1")).Result);
    }

    [Fact]
    public async Task Code_IsMissing_IsRefusedByName()
    {
        var call = PythonCall.From(await Server.Client.CallToolAsync("python"));

        Assert.Equal("the argument 'code' must be a string", call.Reason);
    }

    [Fact]
    public async Task Code_IsTooLong_IsRefusedByName()
    {
        var call = await Server.RunAsync(new string('#', 100_001));

        Assert.Equal("the argument 'code' is longer than 100000 bytes", call.Reason);
    }

    [Fact]
    public async Task Code_IsAsLongAsMayBe_Runs()
    {
        var call = await Server.RunAsync("1 #" + new string('é', 49_998));

        Assert.Equal("1", call.Result);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("\"\"")]
    [InlineData("{}")]
    public async Task Session_IsNoText_IsRefusedByName(string session)
    {
        var call = await Server.Client.RunAsync(JsonSerializer.SerializeToElement("1"), JsonNode.Parse(session));

        Assert.Equal("_meta['responses-gateway/session'] must be a string of 1 to 256 characters", call.Reason);
    }

    [Fact]
    public async Task UnknownTool_IsAProtocolError()
    {
        var error = await Assert.ThrowsAsync<McpProtocolException>(async () => await Server.Client.CallToolAsync("bash"));

        Assert.Equal(McpErrorCode.InvalidParams, error.ErrorCode);
    }

    [Fact]
    public async Task Tools_AreListed_WithHonestAnnotations()
    {
        var tool = Assert.Single(await Server.Client.ListToolsAsync()).ProtocolTool;

        Assert.Equal("python", tool.Name);
        Assert.Equal(["code"], tool.InputSchema.GetProperty("required").EnumerateArray().Select(name => name.GetString()));
        Assert.Equivalent(
            new ToolAnnotations { ReadOnlyHint = false, DestructiveHint = false, IdempotentHint = false, OpenWorldHint = false }, tool.Annotations);
    }

    [Fact]
    public async Task Logs_OfCalls_HaveNoCodeNoOutputNoSession()
    {
        await Server.RunAsync("print('out' + 'put-secret'); 1 / 0 # code-secret", "session-secret");
        await Server.RunAsync("import os; print('out' + 'put-secret', flush=True); os._exit(1) # code-secret");

        Assert.Contains("Serving MCP", Server.Logs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", Server.Logs.Text, StringComparison.Ordinal);
    }
}
